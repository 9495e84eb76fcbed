//! Ledgers of the first edition: nothing of them is lost, and little is concluded.

use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, SqlSafeStr};
use sunmi_trade::ledger::{Access, Claim, Content, Key, Ledger, PaymentThen, Row, Settled, State};
use sunmi_trade::trade::{Refund, TradeState};

use crate::bench::{
    Bench, CEILING, Kind, START, UPSTREAM, answer, ask, claim, id, on, refund, row, written,
};

/// What the first edition made the tables with.
const MIGRATIONS: [(&str, &str); 2] = [
    ("refunds", include_str!("../../migrations/0001_refunds.sql")),
    ("caller", include_str!("../../migrations/0002_caller.sql")),
];

/// Makes the tables as the first edition left them.
pub(crate) async fn make(beside: &mut AnyConnection) {
    let migration = |(version, (name, sql)): (i64, (&'static str, &'static str))| {
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    let migrations = (1..).zip(MIGRATIONS).map(migration).collect();
    Migrator::with_migrations(migrations).run(beside).await.unwrap();
}

/// Writes a row in this state as the first edition did; an emptied one has no content.
async fn write(beside: &mut AnyConnection, refund: &Refund, state: &str, emptied: bool) {
    let outcome = Some("SUCCEEDED").filter(|_| state == "settled");
    let answer = (state == "settled" || state == "processing")
        .then(|| serde_json::to_string(&answer(refund, TradeState::Succeeded)).unwrap());
    let text = |text: &str| if emptied { String::new() } else { text.to_owned() };
    let (kind, original) = refund.original.named();
    sqlx::query(
        "INSERT INTO refunds (app_id, order_id, msn, amount, original_kind, original, \
         business_id, state, epoch, lease_until, outcome, answer, claimed_at, changed_at, \
         look_at, looks, decided_by, decided_why, caller) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 3, $9, $10, $11, $9, $9, $9, 7, 'Zoë', 'why', \
         'till')",
    )
    .bind(refund.app_id.as_str().to_owned())
    .bind(refund.order_id.as_str().to_owned())
    .bind(text(refund.msn.as_str()))
    .bind((!emptied).then_some(refund.amount))
    .bind(kind.to_owned())
    .bind(original.as_str().to_owned())
    .bind(text(refund.business_id.as_str()))
    .bind(state.to_owned())
    .bind(START)
    .bind(outcome.map(str::to_owned))
    .bind(answer)
    .execute(beside)
    .await
    .unwrap();
}

/// A ledger with a row of each state that the first edition wrote, opened by this one.
async fn on_each(scenario: impl AsyncFn(&Bench, Ledger)) {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        on(kind, async |bench: &Bench| {
            let mut beside = bench.beside().await;
            make(&mut beside).await;
            for state in ["in_doubt", "processing", "settled", "not_applied"] {
                write(&mut beside, &refund(state), state, false).await;
            }
            for state in ["settled", "not_applied"] {
                write(&mut beside, &refund(&format!("emptied-{state}")), state, true).await;
            }
            sqlx::query("INSERT INTO ledger_facts (name, value) VALUES ('upstream', $1)")
                .bind(UPSTREAM)
                .execute(&mut beside)
                .await
                .unwrap();
            drop(beside);
            let existing = Ledger::open(&bench.location, UPSTREAM, Access::ServeExisting).await;
            scenario(bench, existing.unwrap().by_clock(bench.clock())).await;
        })
        .await;
    }
}

#[tokio::test]
async fn nothing_of_a_ledger_of_the_first_edition_is_lost() {
    on_each(async |_: &Bench, ledger| {
        let identity = ledger.identity().await.unwrap();
        assert_eq!((identity.new, identity.rows, identity.open), (false, 6, 2));
        for state in [State::InDoubt, State::Processing, State::Settled, State::NotApplied] {
            let asked = refund(state.name());
            let row = row(&ledger, &asked).await;
            assert_eq!((row.state, row.epoch, row.looks), (state, 3, 7));
            assert_eq!((row.amount, row.msn.as_str()), (Some(100), "device"));
            assert_eq!((&row.original, row.business_id.as_str()), (&asked.original, "business"));
            assert_eq!((row.lease_until, row.claimed_at, row.changed_at), (START, START, START));
            assert_eq!((row.caller.as_deref(), row.decided.is_some()), (Some("till"), true));
            assert_eq!(row.outcome.is_some(), state == State::Settled);
            assert_eq!(row.compare(&asked), Content::Same);
        }
    })
    .await;
}

#[tokio::test]
async fn little_is_known_of_a_row_of_the_first_edition() {
    on_each(async |_: &Bench, ledger| {
        for row in ledger.list(None, 10).await.unwrap() {
            let Row { evidence, doubt, told, person, disputed, .. } = &row;
            assert!(row.is_of_first_edition());
            assert!(!evidence.free && !evidence.absent);
            assert_eq!(evidence.accepted, row.state == State::Processing);
            assert_eq!(evidence.payment, PaymentThen::NotLooked);
            assert_eq!((doubt, told, person, disputed), (&None, &false, &false, &None));
        }
        // It is waited for as any other is.
        let second = Refund { order_id: id("second"), ..refund("in_doubt") };
        assert!(matches!(ask(&ledger, &second).await, Claim::InFlight(_)));
    })
    .await;
}

#[tokio::test]
async fn what_the_first_edition_did_not_apply_is_told_before_it_is_claimed() {
    on_each(async |_: &Bench, ledger| {
        let asked = refund("not_applied");
        assert!(matches!(ask(&ledger, &asked).await, Claim::Changed));
        let other = Refund { amount: 1, ..asked.clone() };
        assert!(matches!(ask(&ledger, &other).await, Claim::Differs(_)));
        assert!(ledger.tell(&Key::of(&asked), 3).await.unwrap());
        assert_eq!(claim(&ledger, &asked).await, 4);
        let claimed = row(&ledger, &asked).await;
        assert_eq!(claimed.content_hash, Some(asked.content_hash()));
        assert!(!claimed.evidence.free, "nobody looked before its first send");
        assert!(claimed.evidence.absent);
    })
    .await;
}

#[tokio::test]
async fn what_the_first_edition_emptied_is_never_claimed_again() {
    on_each(async |_: &Bench, ledger| {
        for state in ["settled", "not_applied"] {
            let asked = refund(&format!("emptied-{state}"));
            let before = row(&ledger, &asked).await;
            assert_eq!(before.compare(&asked), Content::Forgotten);
            ledger.tell(&before.key, 3).await.unwrap();
            let before = row(&ledger, &asked).await;
            let claim = ask(&ledger, &asked).await;
            // Looked at again, it is told that its content is not known any more.
            assert!(matches!(claim, Claim::Changed), "{claim:?}");
            // What it tells, it tells.
            let other = Refund { original: refund("another").original, ..asked.clone() };
            assert!(matches!(ask(&ledger, &other).await, Claim::Differs(_)));
            assert_eq!(written(&row(&ledger, &asked).await), written(&before));
        }
    })
    .await;
}

#[tokio::test]
async fn a_refund_of_the_first_edition_is_settled_by_evidence() {
    on_each(async |bench: &Bench, ledger| {
        bench.pass(CEILING + Duration::from_secs(1));
        for number in ["in_doubt", "processing"] {
            let asked = refund(number);
            let done = answer(&asked, TradeState::Succeeded);
            assert_eq!(ledger.settle(&Key::of(&asked), &done).await.unwrap(), Settled::Written);
            let Claim::Known(known) = ask(&ledger, &asked).await else { panic!("claimed") };
            assert_eq!(known.outcome, Some(TradeState::Succeeded));
        }
    })
    .await;
}
