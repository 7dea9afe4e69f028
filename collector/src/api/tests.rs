//! The console port in process: who gets in, what each path answers, what never leaves.
