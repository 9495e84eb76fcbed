//! Which refunds are of one payment: a payment has several names, and not everybody knows all
//! of them.

use super::{Identifier, OrderRef, Trade};

/// The names of a payment that a look at it found. What is absent was absent or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentNames {
    /// The payment platform's number.
    pub platform_id: Option<String>,
    /// The shop software's number.
    pub order_id: Option<String>,
    /// The cash register's number.
    pub mis_id: Option<String>,
}

impl PaymentNames {
    /// These, and where one is absent that of `others`.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        let either =
            |one: &Option<String>, other: &Option<String>| one.clone().or_else(|| other.clone());
        Self {
            platform_id: either(&self.platform_id, &others.platform_id),
            order_id: either(&self.order_id, &others.order_id),
            mis_id: either(&self.mis_id, &others.mis_id),
        }
    }
}

impl From<&Trade> for PaymentNames {
    fn from(found: &Trade) -> Self {
        Self {
            platform_id: found.platform_id.clone(),
            order_id: found.order_id.clone(),
            mis_id: found.mis_id.clone(),
        }
    }
}

/// A payment, by every name that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Who signs. Its software vendor may well number the tills of two merchants alike.
    pub app_id: Identifier,
    /// The name by which a refund asks for it.
    pub asked: OrderRef,
    /// The names that a look found.
    pub found: PaymentNames,
}

impl Payment {
    /// The numbers of this payment on the payment platform.
    pub fn platform_ids(&self) -> impl Iterator<Item = &str> {
        let asked = match &self.asked {
            OrderRef::PlatformId(id) => Some(id.as_str()),
            OrderRef::OrderId(_) | OrderRef::MisId(_) => None,
        };
        asked.into_iter().chain(self.found.platform_id.as_deref())
    }

    /// The numbers that the shop's software gave it.
    pub fn order_ids(&self) -> impl Iterator<Item = &str> {
        let asked = match &self.asked {
            OrderRef::OrderId(id) => Some(id.as_str()),
            OrderRef::PlatformId(_) | OrderRef::MisId(_) => None,
        };
        asked.into_iter().chain(self.found.order_id.as_deref())
    }

    /// The numbers that the cash register gave it.
    pub fn mis_ids(&self) -> impl Iterator<Item = &str> {
        let asked = match &self.asked {
            OrderRef::MisId(id) => Some(id.as_str()),
            OrderRef::PlatformId(_) | OrderRef::OrderId(_) => None,
        };
        asked.into_iter().chain(self.found.mis_id.as_deref())
    }

    /// Whether this is the same payment, as far as is known.
    ///
    /// | platform numbers | `app_id` | other names | the same |
    /// |---|---|---|---|
    /// | both known, equal | any | any | yes |
    /// | both known, different | any | any | no |
    /// | one or both unknown | the same | one of a kind equal | yes: better one wait too many |
    /// | one or both unknown | the same | none equal | no |
    /// | one or both unknown | different | any | no |
    pub fn is_same(&self, other: &Self) -> bool {
        let knows = |payment: &Self| payment.platform_ids().next().is_some();
        if knows(self) && knows(other) {
            return share(self.platform_ids(), other.platform_ids());
        }
        self.app_id == other.app_id
            && (share(self.order_ids(), other.order_ids())
                || share(self.mis_ids(), other.mis_ids()))
    }
}

fn share<'a>(ours: impl Iterator<Item = &'a str>, theirs: impl Iterator<Item = &'a str>) -> bool {
    let theirs: Vec<&str> = theirs.collect();
    ours.into_iter().any(|name| theirs.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(app_id: &str, asked: (char, &str), found: [&str; 3]) -> Payment {
        let id = |text: &str| Identifier::parse(text.to_owned()).unwrap();
        let asked = match asked {
            ('p', number) => OrderRef::PlatformId(id(number)),
            ('o', number) => OrderRef::OrderId(id(number)),
            (_, number) => OrderRef::MisId(id(number)),
        };
        let [platform_id, order_id, mis_id] =
            found.map(|name| Some(name.to_owned()).filter(|name| !name.is_empty()));
        let found = PaymentNames { platform_id, order_id, mis_id };
        Payment { app_id: id(app_id), asked, found }
    }

    #[test]
    fn two_refunds_are_of_one_payment_by_the_names_that_both_know() {
        let none = ["", "", ""];
        let table = [
            ("asked alike", ("a", ('o', "1"), none), ("a", ('o', "1"), none), true),
            ("other kind", ("a", ('o', "1"), none), ("a", ('m', "1"), none), false),
            ("other app_id", ("a", ('o', "1"), none), ("b", ('o', "1"), none), false),
            ("found", ("a", ('o', "1"), none), ("a", ('m', "9"), ["", "1", "9"]), true),
            ("platforms equal", ("a", ('p', "7"), none), ("b", ('o', "1"), ["7", "1", ""]), true),
            (
                "platforms differ, tills alike",
                ("a", ('m', "1"), ["7", "", "1"]),
                ("a", ('m', "1"), ["8", "", "1"]),
                false,
            ),
            (
                "one knows no platform",
                ("a", ('m', "1"), ["7", "", "1"]),
                ("a", ('m', "1"), none),
                true,
            ),
            ("nothing in common", ("a", ('p', "7"), none), ("a", ('o', "1"), none), false),
        ];
        for (what, one, other, expected) in table {
            let [one, other] =
                [one, other].map(|(app_id, asked, found)| payment(app_id, asked, found));
            assert_eq!(one.is_same(&other), expected, "{what}");
            assert_eq!(other.is_same(&one), expected, "{what}, the other way round");
        }
    }
}
