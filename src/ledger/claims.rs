//! The claim: whether a refund may be sent, decided and recorded in one transaction. All claims
//! of one payment, and all of one number, come one after another, in whatever process.

use std::collections::BTreeSet;
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, FromRow, Row as _};

use super::days::{Day, Spent};
use super::durability::{self, Durability};
use super::reads::COLUMNS;
use super::row::{Baseline, Content, OpenThen};
use super::{Dialect, Key, Ledger, LedgerError, PaymentThen, Result, Row, State, millis};
use crate::clock::BootTime;
use crate::metrics::Work;
use crate::permit::Permit;
use crate::trade::{Identifier, Payment, PaymentNames, Refund};

/// Beyond the ceiling, so that a lease is never over while its owner may still send.
pub(super) const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// What is asked of the ledger before a refund is sent.
#[derive(Debug)]
pub struct ClaimRequest<'a> {
    /// The refund.
    pub refund: &'a Refund,
    /// What the claim is known by: drawn for it alone.
    pub id: &'a str,
    /// What was seen before.
    pub looked: &'a Looked,
    /// For how long its owner may send, on this process's clock from `begun` on.
    pub ceiling: Duration,
    /// Before the claim, so that the owner's time is over before its lease is.
    pub begun: BootTime,
}

/// What was seen before a claim.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// The epoch of the number's row before the looks; 0 if there was none.
    pub epoch: i64,
    /// The payment's rows before the looks, each with the number of its last change.
    pub rows: Vec<(Key, i64)>,
    /// Whether the number was not there.
    pub absent: bool,
    /// What was there of the payment. The claim completes a baseline with what the ledger knows.
    pub payment: PaymentThen,
    /// The names of the payment.
    pub names: PaymentNames,
    /// A refund that settled no longer than this ago may be missing in the payment's total.
    pub unseen: Duration,
}

/// What became of an attempt to claim a refund.
#[derive(Debug)]
pub enum Claim {
    /// It is the caller's to send, if the commit is durable.
    Fresh(Permit, Box<Row>, Durability),
    /// Its number is known, with this content.
    Known(Box<Row>),
    /// Its number is known with other content: in these fields.
    Differs(Vec<&'static str>),
    /// Another refund of the payment is open, and its number was not acknowledged.
    InFlight(Key),
    /// A row of the payment or the number is not as it was before the looks.
    Changed,
    /// It is more than its caller may still refund that day, of which so much is spent.
    Beyond(Spent),
}

impl Ledger {
    /// Claims a refund: durably, before anything is sent.
    ///
    /// # Errors
    /// If the ledger failed; then it may be claimed all the same, under this id.
    pub async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claim> {
        self.measure(Work::Claim, self.try_claim(request)).await
    }

    async fn try_claim(&self, request: &ClaimRequest<'_>) -> Result<Claim> {
        let mut write = self.begin().await?;
        let claim = self.decide_claim(write.connection()?, request).await;
        match claim {
            Ok(Claim::Fresh(permit, row, durability)) => {
                let warned = write.keep().await?;
                self.announce(&row.key, row.epoch, State::Claimed, "claim");
                Ok(Claim::Fresh(permit, row, durability.or_warned(warned)))
            }
            not_written => {
                write.undo().await?;
                not_written
            }
        }
    }

    /// What a claim comes to. It is written if it is a fresh one, and may be if it is beyond a bound.
    async fn decide_claim(
        &self,
        tx: &mut AnyConnection,
        request: &ClaimRequest<'_>,
    ) -> Result<Claim> {
        let payment = Payment {
            app_id: request.refund.app_id.clone(),
            asked: request.refund.original.clone(),
            found: request.looked.names.clone(),
        };
        let key = Key::of(request.refund);
        self.lock(tx, lock_numbers(&key, &payment, request.refund)).await?;
        let row = self.read_by(&mut *tx, &key).await?;
        if let Some(claim) = row.as_ref().and_then(|row| unclaimable(row, request)) {
            return Ok(claim);
        }
        let rows = self.of_payment_by(&mut *tx, &payment).await?;
        if let Some(claim) = obstacle(&rows, &key, request) {
            return Ok(claim);
        }
        if row.is_none() != (request.looked.epoch == 0) {
            return Ok(Claim::Changed);
        }
        let (refund, is_bound) = (request.refund, row.is_some());
        if !refund.app_id_named && self.is_elsewhere(tx, refund, is_bound).await? {
            return Ok(Claim::Changed);
        }
        let then = complete(request, &rows, &payment);
        let Some((row, durability)) = self.write_claim(tx, request, &then).await? else {
            return Ok(Claim::Changed);
        };
        if let Some(spent) = self.beyond(tx, request.refund, &row).await? {
            return Ok(Claim::Beyond(spent));
        }
        let permit = Permit::of_claim(row.epoch, request.begun.after(request.ceiling));
        Ok(Claim::Fresh(permit, Box::new(row), durability))
    }

    /// Waits for its turn among the claims that have one of these numbers, too. SQLite has only
    /// one writer anyway.
    async fn lock(&self, tx: &mut AnyConnection, numbers: BTreeSet<i64>) -> Result<()> {
        if self.dialect == Dialect::Sqlite {
            return Ok(());
        }
        // Bound, so that the statement is prepared once for so many.
        let locks: Vec<String> = (1..=numbers.len())
            .map(|at| format!("CAST(pg_advisory_xact_lock(${at}) AS TEXT)"))
            .collect();
        let sql = self.sql(&format!("SELECT {}", locks.join(", ")));
        let query = numbers.into_iter().fold(sqlx::query(sql), Query::bind);
        query.execute(&mut *tx).await?;
        Ok(())
    }

    /// What its caller spent on the day of a claim that is written, and not yet committed, if that
    /// leaves too little for it. It is written first, so that the day is the one that it counts for.
    async fn beyond(
        &self,
        tx: &mut AnyConnection,
        refund: &Refund,
        row: &Row,
    ) -> Result<Option<Spent>> {
        let Some((caller, most)) = refund.bounded() else { return Ok(None) };
        let spent = self.spent_by(&mut *tx, caller, Day::of(row.claimed_at)).await?;
        let before = spent.without(refund.amount);
        Ok((!before.leaves(refund.amount, most)).then_some(before))
    }

    /// Whether the number stands for a refund under another `app_id`, of which no caller was told
    /// that it was not applied. Where the number `is_bound` to this content under the refund's own,
    /// others may have it for other content.
    async fn is_elsewhere(
        &self,
        tx: &mut AnyConnection,
        refund: &Refund,
        is_bound: bool,
    ) -> Result<bool> {
        let rows = self.of_number_by(&mut *tx, refund.order_id.as_str()).await?;
        let own = Key::of(refund);
        let is_other = |row: &Row| match row.compare(refund) {
            Content::Differs(_) => is_bound,
            Content::Same | Content::Forgotten => false,
        };
        let mut others = rows.iter().filter(|row| row.key != own && !is_other(row));
        Ok(others.any(|row| row.state != State::NotApplied || !row.told))
    }

    /// Writes the claim, if nobody else did.
    async fn write_claim(
        &self,
        tx: &mut AnyConnection,
        request: &ClaimRequest<'_>,
        then: &PaymentThen,
    ) -> Result<Option<(Row, Durability)>> {
        let write = if request.looked.epoch == 0 { INSERT } else { UPDATE };
        let durable = durability::sql(self.dialect);
        let sql = format!("{write} RETURNING {COLUMNS}, {durable} AS durable");
        let query = bind_content(sqlx::query(self.sql(&sql)), request.refund)
            .bind(millis(request.ceiling + LEASE_MARGIN))
            .bind(request.refund.caller.as_deref().map(str::to_owned))
            .bind(request.refund.content_hash())
            .bind(request.id.to_owned())
            .bind(i64::from(request.looked.absent))
            .bind(serde_json::to_string(then)?)
            .bind(request.looked.names.platform_id.clone())
            .bind(request.looked.names.order_id.clone())
            .bind(request.looked.names.mis_id.clone())
            .bind(request.looked.epoch)
            .bind(request.refund.note.operator.clone())
            .bind(request.refund.note.reason.clone());
        let written = query.fetch_optional(&mut *tx).await?;
        written
            .map(|written| {
                let durable: String = written.try_get("durable")?;
                Ok((Row::from_row(&written)?, durability::judge(self.dialect, &durable)))
            })
            .transpose()
    }

    /// Records a refund that was found under its number before its first send, and was therefore
    /// not sent: only a person can tell whose it is. False if its number has a row by now.
    pub async fn record_found(&self, refund: &Refund, looked: &Looked, why: &str) -> Result<bool> {
        let doubt = super::Doubt { why: why.to_owned(), ..super::Doubt::default() };
        let sql = self.sql(FOUND);
        let query = bind_content(sqlx::query(sql), refund)
            .bind(refund.caller.as_deref().map(str::to_owned))
            .bind(refund.content_hash())
            .bind(serde_json::to_string(&doubt)?)
            .bind(looked.names.platform_id.clone())
            .bind(looked.names.order_id.clone())
            .bind(looked.names.mis_id.clone())
            .bind(refund.note.operator.clone())
            .bind(refund.note.reason.clone());
        let key = Key::of(refund);
        self.moved(query, &key, 1, (State::InDoubt, why)).await
    }
}

const INSERT: &str = "INSERT INTO refunds (app_id, order_id, msn, amount, original_kind, original, \
    business_id, state, epoch, lease_until, claimed_at, changed_at, look_at, looks, caller, \
    content_hash, claim_id, claim_order, change, free, absent, payment_then, \
    payment_platform_id, payment_order_id, payment_mis_id, asked_by, asked_why) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, 'claimed', 1 + $17, {now} + $8, {now}, {now}, \
    {now} + $8, 0, $9, $10, $11, {change}, {change}, $12, $12, $13, $14, $15, $16, $18, $19) \
    ON CONFLICT DO NOTHING";

/// The content of a number never changes, nor does whether it was free before its first send.
const UPDATE: &str = "UPDATE refunds SET msn = $3, amount = $4, business_id = $7, \
    state = 'claimed', epoch = epoch + 1, lease_until = {now} + $8, answer = NULL, \
    outcome = NULL, claimed_at = {now}, changed_at = {now}, look_at = {now} + $8, looks = 0, \
    caller = $9, content_hash = $10, claim_id = $11, claim_order = {next_change}, change = {next_change}, \
    told = 0, absent = $12, payment_then = $13, payment_platform_id = $14, \
    payment_order_id = $15, payment_mis_id = $16, doubt = NULL, person = 0, \
    asked_by = $18, asked_why = $19 \
    WHERE app_id = $1 AND order_id = $2 AND original_kind = $5 AND original = $6 \
    AND epoch = $17 AND state = 'not_applied' AND told = 1";

const FOUND: &str = "INSERT INTO refunds (app_id, order_id, msn, amount, original_kind, original, \
    business_id, state, epoch, lease_until, claimed_at, changed_at, look_at, looks, caller, \
    content_hash, claim_order, change, doubt, person, payment_platform_id, payment_order_id, \
    payment_mis_id, asked_by, asked_why) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, 'in_doubt', 1, {now}, {now}, {now}, {now}, 0, $8, $9, \
    {change}, {change}, $10, 1, $11, $12, $13, $14, $15) \
    ON CONFLICT DO NOTHING";

/// Why the number of this row cannot be claimed, if so.
fn unclaimable(row: &Row, request: &ClaimRequest<'_>) -> Option<Claim> {
    match row.compare(request.refund) {
        Content::Differs(fields) => return Some(Claim::Differs(fields)),
        // Looked at again, that is told.
        Content::Forgotten => return Some(Claim::Changed),
        Content::Same => {}
    }
    match row.state {
        State::Claimed | State::InDoubt | State::Processing | State::Settled => {
            Some(Claim::Known(Box::new(row.clone())))
        }
        State::NotApplied if !row.told || row.epoch != request.looked.epoch => Some(Claim::Changed),
        State::NotApplied => None,
    }
}

/// What of the payment is in the way of a claim, if anything is.
fn obstacle(rows: &[Row], key: &Key, request: &ClaimRequest<'_>) -> Option<Claim> {
    if let Some(open) = blocking(rows, key, &request.refund.acknowledged) {
        return Some(Claim::InFlight(open.clone()));
    }
    let seen = |row: &Row| {
        request.looked.rows.iter().any(|(key, change)| *key == row.key && *change == row.change)
    };
    (!rows.iter().all(seen)).then_some(Claim::Changed)
}

/// The refund of a payment that the one of this key has to wait for: any that is claimed or in
/// doubt, and not acknowledged.
pub(crate) fn blocking<'a>(
    rows: &'a [Row],
    key: &Key,
    acknowledged: &[Identifier],
) -> Option<&'a Key> {
    let others = rows.iter().filter(|row| row.key != *key && row.blocks_payment());
    others.map(|row| &row.key).find(|open| !acknowledged.contains(&open.order_id))
}

/// What was seen of the payment, completed with what the ledger knows of its other refunds, none
/// of which has changed since the look.
fn complete(request: &ClaimRequest<'_>, rows: &[Row], payment: &Payment) -> PaymentThen {
    let (looked, key) = (request.looked, Key::of(request.refund));
    let PaymentThen::Found(seen) = &looked.payment else { return looked.payment.clone() };
    let others = || rows.iter().filter(|row| row.key != key);
    let msn = request.refund.msn.as_str();
    let known = || others().filter(|row| row.has_shown_success() && row.is_surely_of(payment, msn));
    let refunded = known().filter_map(|row| row.amount).fold(0, i64::saturating_add);
    let open = |row: &Row| row.is_open() || row.state == State::Claimed;
    PaymentThen::Found(Baseline {
        floor: if known().any(|row| !row.rested_before(looked.unseen)) { refunded } else { 0 },
        refunded,
        open: others().filter(|row| open(row)).map(open_then).collect(),
        ..seen.clone()
    })
}

fn open_then(row: &Row) -> OpenThen {
    OpenThen {
        app_id: row.key.app_id.to_string(),
        order_id: row.key.order_id.to_string(),
        epoch: row.epoch,
        amount: row.amount.unwrap_or_default(),
    }
}

/// The advisory locks of a number, of all names of a payment, and of a caller that has a bound, in
/// an order that is the same for everybody, so that nobody waits in a circle. Two claims of one
/// payment share at least one: what makes two payments the same is an equal name.
fn lock_numbers(key: &Key, payment: &Payment, refund: &Refund) -> BTreeSet<i64> {
    let app_id = payment.app_id.as_str();
    // Without its app_id, because a refund that names none is looked for under every other one.
    let number = ["number", "", key.order_id.as_str()];
    let platform = payment.platform_ids().map(|id| ["platform_id", "", id]);
    let orders = payment.order_ids().map(|id| ["order_id", app_id, id]);
    let registers = payment.mis_ids().map(|id| ["mis_id", app_id, id]);
    // Not its day's: that is known only once the claim is written.
    let caller = refund.bounded().map(|(caller, _)| ["caller", "", caller]);
    let names = [number].into_iter().chain(platform).chain(orders).chain(registers).chain(caller);
    names.map(|name| lock_number(&name)).collect()
}

fn lock_number(name: &[&str; 3]) -> i64 {
    let mut hash = Sha256::new();
    for part in name {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    i64::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

/// Binds the key as $1 and $2, and the content as $3 to $7.
pub(super) fn bind_content<'q>(
    query: Query<'q, Any, AnyArguments>,
    refund: &Refund,
) -> Query<'q, Any, AnyArguments> {
    let (kind, original) = refund.original.named();
    query
        .bind(refund.app_id.as_str().to_owned())
        .bind(refund.order_id.as_str().to_owned())
        .bind(refund.msn.as_str().to_owned())
        .bind(refund.amount)
        .bind(kind)
        .bind(original.as_str().to_owned())
        .bind(refund.business_id.as_str().to_owned())
}

impl From<serde_json::Error> for LedgerError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.into())
    }
}
