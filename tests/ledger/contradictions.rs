//! What Sunmi says against what is settled, or was told: it is kept, and counted.

use std::sync::Arc;

use sunmi_trade::ledger::{Key, Settled, State};
use sunmi_trade::metrics::{Metrics, Upstream};
use sunmi_trade::trade::TradeState;

use crate::bench::{
    Bench, UPSTREAM, WINDOW, answer, because, bring, claim, on_every_ledger, refund, row,
};

on_every_ledger! {
    contradictions_are_kept_and_counted
}

/// What the page of metrics says of contradictions.
fn counted(metrics: &Metrics) -> u64 {
    let page = metrics.encode(None).unwrap();
    let line = page.lines().find(|line| line.starts_with("sunmi_refund_contradictions_total"));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

async fn contradictions_are_kept_and_counted(bench: &Bench) {
    let address = UPSTREAM.parse().unwrap();
    let upstream = Upstream { address: &address, path: |_| "/", codes: Vec::new() };
    let metrics = Arc::new(Metrics::new(&upstream).unwrap());
    let ledger = bench.ledger().await.measured_by(&metrics).unwrap();
    assert_eq!(counted(&metrics), 0);

    let failed = refund("failed");
    let key = Key::of(&failed);
    claim(&ledger, &failed).await;
    assert!(
        ledger
            .fail(&row(&ledger, &failed).await, &answer(&failed, TradeState::Failed))
            .await
            .unwrap()
    );
    let done = answer(&failed, TradeState::Succeeded);
    assert_eq!(ledger.settle(&key, &done).await.unwrap(), Settled::Otherwise);
    assert_eq!(counted(&metrics), 1);
    let kept = row(&ledger, &failed).await;
    assert_eq!(kept.outcome, Some(TradeState::Failed), "it stays settled so");
    assert!(kept.disputed.unwrap().contains("succeeded, after it failed"));

    let told = refund("told");
    let key = bring(&ledger, &told, State::NotApplied).await.key;
    let done = answer(&told, TradeState::Succeeded);
    assert_eq!(ledger.settle(&key, &done).await.unwrap(), Settled::Written);
    assert_eq!(counted(&metrics), 2);
    assert!(row(&ledger, &told).await.disputed.unwrap().contains("told"));

    // Nobody was told of this one.
    let untold = refund("untold");
    let (key, epoch) = (Key::of(&untold), claim(&ledger, &untold).await);
    assert!(ledger.refuse(&key, epoch, &because("a test"), false).await.unwrap());
    assert_eq!(ledger.settle(&key, &done).await.unwrap(), Settled::Written);
    assert_eq!(ledger.settle(&key, &done).await.unwrap(), Settled::Already);
    assert_eq!(counted(&metrics), 2);
    assert_eq!(row(&ledger, &untold).await.disputed, None);

    ledger.dispute(&key, "it was returned").await.unwrap();
    assert_eq!(counted(&metrics), 3);
    assert_eq!(row(&ledger, &untold).await.disputed.as_deref(), Some("it was returned"));
    assert_eq!(
        ledger
            .doubts(sunmi_trade::ledger::Patience { window: WINDOW, processing: WINDOW })
            .await
            .unwrap()
            .disputed,
        3
    );
}
