//! Service hours of a site: local time of Asia/Ho_Chi_Minh, which is UTC+7 and has no summer time.

use serde::{Deserialize, Serialize};

/// When a site serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// Days it serves, Monday first.
    pub days: [bool; 7],
    /// Spans of such a day, minutes since midnight, in order, apart, never across midnight; `1440` is its end.
    pub spans: Vec<(u16, u16)>,
}
