//! What travels from agent to collector.
