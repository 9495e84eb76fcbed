//! Who signs and which order is meant: names and numbers.

use std::fmt;

/// 1 to 128 printable ASCII characters without blanks and without `&`, which could make
/// two different requests sign alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(String);

impl Identifier {
    /// The rule, in words, for whoever broke it.
    pub const RULE: &str =
        "must be 1 to 128 printable ASCII characters, without blanks and without '&'";

    /// The identifier, if the text is one.
    pub fn parse(text: String) -> Option<Self> {
        let fits = (1..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'&');
        fits.then_some(Self(text))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identities that this server can sign as.
#[derive(Clone, Debug)]
pub struct AppIds {
    known: Vec<Identifier>,
    default: Option<Identifier>,
}

impl AppIds {
    /// `default` is the one that signs where a request names none; with several known
    /// there need not be one.
    pub fn new(known: Vec<Identifier>, default: Option<Identifier>) -> Self {
        Self { known, default }
    }

    /// All of them, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Identifier> {
        self.known.iter()
    }

    /// The one that a read is signed as, `None` for an empty name without a default or a
    /// name that is not known.
    pub fn for_read(&self, name: &str) -> Option<&Identifier> {
        match name {
            "" => self.default.as_ref(),
            name => self.known.iter().find(|id| id.as_str() == name),
        }
    }

    /// The one that a refund is signed as. Where several are known it must be named: the
    /// wrong default would refund from another merchant's account.
    pub fn for_refund(&self, name: &str) -> Option<&Identifier> {
        if name.is_empty() && self.known.len() > 1 {
            return None;
        }
        self.for_read(name)
    }
}

/// An order, by one of its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderRef {
    /// The cash register's number.
    MisId(Identifier),
    /// The shop software's number.
    OrderId(Identifier),
    /// The payment platform's number.
    PlatformId(Identifier),
}

impl OrderRef {
    /// The kind of number, as the contract names it, and the number.
    pub fn named(&self) -> (&'static str, &Identifier) {
        match self {
            Self::MisId(id) => ("mis_id", id),
            Self::OrderId(id) => ("order_id", id),
            Self::PlatformId(id) => ("platform_id", id),
        }
    }
}
