//! Refunds that fit a filter, the most recently claimed first.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::QueryAs;
use sqlx::{Any, Executor, FromRow, query_as};

use super::reads::{COLUMNS, needs_person};
use super::{Key, Ledger, Patience, Result, Row, State, millis};
use crate::metrics::Work;
use crate::trade::Identifier;

/// Which refunds somebody may see. The default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Those that one of these signed.
    pub app_ids: Option<Vec<Identifier>>,
    /// Those that this caller asked for.
    pub caller: Option<String>,
}

impl Sight {
    /// Whether this is one of them.
    pub fn sees(&self, row: &Row) -> bool {
        self.app_ids.as_ref().is_none_or(|ids| ids.contains(&row.key.app_id))
            && self.caller.as_ref().is_none_or(|caller| row.caller.as_ref() == Some(caller))
    }
}

/// Which refunds are looked for: all conditions that are set hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// That may be seen.
    pub sight: Sight,
    /// Signed so.
    pub app_id: Option<Identifier>,
    /// In one of these states; empty for any.
    pub states: Vec<State>,
    /// That need a person, if so much patience is had with them.
    pub needs_person: Option<Patience>,
    /// Whose record Sunmi contradicts, if set.
    pub disputed: bool,
    /// Of the payment with this number, of whichever kind.
    pub original: Option<Identifier>,
    /// With this business number.
    pub business_id: Option<Identifier>,
    /// Asked for by this caller.
    pub caller: Option<String>,
    /// Claimed within this time.
    pub claimed: Span,
    /// Whose state last changed within this time.
    pub changed: Span,
}

/// A time, in milliseconds since 1970 by the ledger's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// From then on.
    pub since: Option<i64>,
    /// Before then.
    pub until: Option<i64>,
}

/// Where a refund stands among all, by when it was claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedAt {
    /// When it was claimed, in milliseconds.
    pub time: i64,
    /// Which it is.
    pub key: Key,
}

impl ClaimedAt {
    /// Where this one stands.
    pub fn of(row: &Row) -> Self {
        Self { time: row.claimed_at, key: row.key.clone() }
    }
}

impl Ledger {
    /// So many refunds that fit, the most recently claimed first: the first ones, or those that
    /// come after that one.
    pub async fn search(
        &self,
        filter: &Filter,
        after: Option<&ClaimedAt>,
        limit: i64,
    ) -> Result<Vec<Row>> {
        let rows = self.search_by(&self.pool, filter, after, limit);
        Ok(self.metrics.measure(Work::Read, rows).await?)
    }

    /// How many refunds fit.
    pub async fn count(&self, filter: &Filter) -> Result<u64> {
        let mut conditions = Conditions::default();
        conditions.fit(filter);
        let terms = conditions.terms.join(" AND ");
        let sql = format!("SELECT COUNT(*) FROM refunds WHERE {terms}");
        let query = conditions.bind(query_as(self.sql(&sql)));
        let (count,): (i64,) = query.fetch_one(&self.pool).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    pub(super) async fn search_by<'c>(
        &self,
        connection: impl Executor<'c, Database = Any>,
        filter: &Filter,
        after: Option<&ClaimedAt>,
        limit: i64,
    ) -> sqlx::Result<Vec<Row>> {
        let mut conditions = Conditions::default();
        conditions.fit(filter);
        if let Some(ClaimedAt { time, key }) = after {
            let [time, app_id, order_id] = [
                conditions.number(*time),
                conditions.text(key.app_id.as_str()),
                conditions.text(key.order_id.as_str()),
            ];
            conditions
                .add(format!("(claimed_at, app_id, order_id) < ({time}, {app_id}, {order_id})"));
        }
        let limit = conditions.number(limit);
        let sql = format!(
            "SELECT {COLUMNS} FROM refunds WHERE {} \
             ORDER BY claimed_at DESC, app_id DESC, order_id DESC LIMIT {limit}",
            conditions.terms.join(" AND "),
        );
        conditions.bind(query_as(self.sql(&sql))).fetch_all(connection).await
    }
}

/// The terms of a statement, and what is bound to it.
struct Conditions {
    terms: Vec<String>,
    values: Vec<Value>,
}

enum Value {
    Text(String),
    Number(i64),
}

impl Default for Conditions {
    fn default() -> Self {
        Self { terms: vec!["1 = 1".to_owned()], values: Vec::new() }
    }
}

impl Conditions {
    fn fit(&mut self, filter: &Filter) {
        if let Some(ids) = &filter.sight.app_ids {
            let ids: Vec<String> = ids.iter().map(|id| self.text(id.as_str())).collect();
            self.add(match ids.is_empty() {
                true => "1 = 0".to_owned(),
                false => format!("app_id IN ({})", ids.join(", ")),
            });
        }
        let equal = [
            ("caller", filter.sight.caller.as_deref()),
            ("caller", filter.caller.as_deref()),
            ("app_id", filter.app_id.as_ref().map(Identifier::as_str)),
            ("business_id", filter.business_id.as_ref().map(Identifier::as_str)),
        ];
        for (column, value) in equal {
            let Some(value) = value else { continue };
            let value = self.text(value);
            self.add(format!("{column} = {value}"));
        }
        if let Some(original) = &filter.original {
            let name = self.text(original.as_str());
            self.add(format!(
                "(original = {name} OR payment_platform_id = {name} \
                 OR payment_order_id = {name} OR payment_mis_id = {name})"
            ));
        }
        self.in_states(&filter.states);
        if let Some(patience) = filter.needs_person {
            self.need_person(patience);
        }
        if filter.disputed {
            self.add("disputed IS NOT NULL".to_owned());
        }
        self.within("claimed_at", filter.claimed);
        self.within("changed_at", filter.changed);
    }

    fn in_states(&mut self, states: &[State]) {
        if states.is_empty() {
            return;
        }
        let names: Vec<String> = states.iter().map(|it| format!("'{}'", it.name())).collect();
        self.add(format!("state IN ({})", names.join(", ")));
        let open = |it: &State| matches!(it, State::Claimed | State::InDoubt | State::Processing);
        if states.iter().all(open) {
            self.add(OPEN.to_owned());
        }
    }

    fn need_person(&mut self, patience: Patience) {
        let window = self.number(millis(patience.window));
        let processing = self.number(millis(patience.processing));
        self.add(OPEN.to_owned());
        self.add(needs_person(&window, &processing));
    }

    fn within(&mut self, column: &str, span: Span) {
        for (sign, time) in [(">=", span.since), ("<", span.until)] {
            let Some(time) = time else { continue };
            let time = self.number(time);
            self.add(format!("{column} {sign} {time}"));
        }
    }

    fn add(&mut self, term: String) {
        self.terms.push(term);
    }

    /// The name of a text that is bound.
    fn text(&mut self, text: &str) -> String {
        self.value(Value::Text(text.to_owned()))
    }

    fn number(&mut self, number: i64) -> String {
        self.value(Value::Number(number))
    }

    fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn bind<'q, O: for<'r> FromRow<'r, AnyRow>>(
        self,
        query: QueryAs<'q, Any, O, AnyArguments>,
    ) -> QueryAs<'q, Any, O, AnyArguments> {
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
        })
    }
}

/// What the index of open refunds is made for, in its very words.
const OPEN: &str = "state IN ('claimed', 'in_doubt', 'processing')";
