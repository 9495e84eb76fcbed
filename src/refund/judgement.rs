//! What proves what: every judgement on refunds, as pure functions over plain values. No clock,
//! no I/O, no ledger.
//!
//! | question | judged by |
//! |---|---|
//! | What does a look at a number, or at a payment, show? | [`seen`] |
//! | What does the answer to the refund call prove? | [`reply`] |
//! | Had a refusal to come, and is it believed? | [`refusal`] |
//! | Does the payment's total show that the refund is not in it? | [`total`] |
//! | What became of a refund in doubt? | [`outcome`] |
//! | Does a settled refund still stand? | [`standing`] |
//!
//! Two properties hold for all of them: more doubt in what is seen never makes a more definite
//! conclusion, and nothing is concluded from amounts alone.

pub(super) mod outcome;
pub(super) mod refusal;
pub(super) mod reply;
pub(super) mod seen;
pub(super) mod standing;
pub(super) mod total;
