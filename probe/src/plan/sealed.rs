//! What of orders is secret, and how it travels beside them.
//!
//! ```text
//! {"flush":…,"sealed":[…]}⏎       the orders; their digest is of this line
//! {"secrets":["…"]}               what is sealed, where there is something
//! ```

use super::PlanDigest;
use serde::{Deserialize, Serialize};

/// What of an agent's orders is secret: it is never journalled, shown or logged.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Hex of 32 octets each, from which STAMP keys derive: the current one, and at a rotation the one before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
}

impl Sealed {
    /// The text that travels, JSON on one line; none when there is nothing in it.
    pub fn text(&self) -> Option<String> {
        // Structures of text always serialise.
        (*self != Sealed::default()).then(|| serde_json::to_string(self).unwrap_or_default())
    }

    /// Digest of [`Sealed::text`].
    pub fn digest(&self) -> Option<PlanDigest> {
        self.text().map(|text| PlanDigest::of(text.as_bytes()))
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// Orders as they travel: their text, and below it the text of what is sealed, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// Text of the [`Orders`]; their digest is of this.
    pub orders: &'a [u8],
    /// Text of the [`Sealed`].
    pub sealed: Option<&'a [u8]>,
}

impl Delivery<'_> {
    /// Takes what travelled apart. JSON on one line has no line feed within.
    pub fn read(text: &[u8]) -> Delivery<'_> {
        match text.iter().position(|octet| *octet == b'\n') {
            Some(end) => Delivery { orders: &text[..end], sealed: Some(&text[end + 1..]) },
            None => Delivery { orders: text, sealed: None },
        }
    }

    /// Puts it together.
    pub fn text(orders: &str, sealed: Option<&str>) -> String {
        [Some(orders), sealed].into_iter().flatten().collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Orders;

    #[test]
    fn what_is_sealed_travels_beside_the_orders_and_changes_their_digest() {
        let sealed = |secret: &str| Sealed { secrets: vec![secret.into()] };
        assert_eq!((Sealed::default().text(), Sealed::default().digest()), (None, None));
        let orders = |sealed: &Sealed| Orders { sealed: sealed.digest(), ..nothing() };
        let (old, new) = (sealed("5ec4e7"), sealed("0ther"));
        assert_ne!(orders(&old).digest(), orders(&new).digest());
        let text = Delivery::text(&orders(&old).text(), old.text().as_deref());
        let read = Delivery::read(text.as_bytes());
        assert_eq!(PlanDigest::of(read.orders), orders(&old).digest());
        assert_eq!(serde_json::from_slice::<Sealed>(read.sealed.unwrap()).unwrap(), old);
        assert!(!orders(&old).text().contains("5ec4e7") && !format!("{old:?}").contains("5ec4e7"));
    }

    fn nothing() -> Orders {
        serde_json::from_str("{\"uplinks\":[]}").unwrap()
    }
}
