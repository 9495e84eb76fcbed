//! `refunds rehome`: the same Sunmi at a new address.

use super::world::{NOW, World};

const WHO: [&str; 5] = ["rehome", "--by", "Zoë", "--reason", "Sunmi moved"];
const NAME: &str = "SUNMI_TRADE__UPSTREAM__NAME";

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_follows_its_upstream_by_a_persons_word_alone() {
    let mut world = World::new("rehome").await;
    world.set(NAME, Some("old"));
    world.lose("R1", true, NOW).await;
    world.set(NAME, Some("new"));
    let said = world.refused(&["list"]);
    assert!(said.contains("it belongs to the upstream old, not to new;"), "{said}");
    let ran = world.run(&["rehome", "--by", "Zoë"]);
    assert_eq!(ran.status, Some(64), "{ran:?}");

    let printed = world.done(&WHO);
    assert!(printed.contains("belonged to the upstream old, and belongs to new from now on.\n"));
    assert!(printed.ends_with("Refunds that are open: 1. They are looked for there.\n"));
    assert_eq!(world.done(&["list"]).lines().count(), 1);
    let said = world.refused(&WHO);
    assert!(said.ends_with("it belongs to new already"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_makes_a_ledger() {
    let world = World::new("no_ledger").await;
    let one_each: [&[&str]; 6] = [
        &["list"],
        &["show", "R1"],
        &["resolve", "R1"],
        &["verify", "R1"],
        &["settle", "R1", "--epoch", "1", "--succeeded", "--by", "Zoë", "--reason", "a test"],
        &WHO,
    ];
    for args in one_each {
        let said = world.refused(args);
        assert!(said.contains("ledger.db was not opened: there is no such file"), "{said}");
        assert!(!world.ledger_path.exists(), "{args:?}");
    }
}
