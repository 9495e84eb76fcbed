//! A server that is killed again and again while callers refund, repeat, and give up.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sunmi_trade::api::pb::TradeState;
use sunmi_trade::sandbox::faults::Answer;
use sunmi_trade::sandbox::http::Sandbox;
use tokio::time::Instant;
use tonic::Status;

use crate::calls::{AMOUNT, refund_of, refusal};
use crate::process::PATIENCE;
use crate::world::World;

const CALLERS: usize = 6;
/// Fewer, so that callers meet at one; and several, because a refund in doubt holds the others of
/// its payment up.
const PAYMENTS: usize = 3;
const REFUNDS_EACH: usize = 6;
const KILLS: usize = 5;
const FAULTS: usize = 24;

/// One of the ways in which an answer is lost.
fn fault(random: &mut StdRng) -> (bool, u64, Answer) {
    let answer = match random.random_range(0..7) {
        0 => Answer::Hang,
        1 => Answer::Reset,
        2 => Answer::Close,
        3 => Answer::Cut,
        4 => Answer::Code("S03".to_owned()),
        5 => Answer::status(503),
        _ => Answer::Normal,
    };
    (random.random(), random.random_range(0..300), answer)
}

/// Repeats a refund until it is known to have happened.
async fn insist(server: &Mutex<SocketAddr>, sandbox: &Sandbox, (payment, number): (&str, &str)) {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let address = *server.lock().unwrap();
        let told = refund_of(address, payment, number).await;
        let executed = sandbox
            .with_book(|book| book.executions().iter().filter(|it| it.order_id == number).count());
        match told {
            Ok(told) => {
                let seen = (told.state(), told.amount_minor);
                assert_eq!(seen, (TradeState::Succeeded, Some(AMOUNT)));
                return assert_eq!(executed, 1, "{number} is said to have happened");
            }
            // Nobody else asks for this number, so nothing is sent after such an answer.
            Err(status) if is_not_applied(&status) => {
                assert_eq!(executed, 0, "{number} is said not to have happened: {status:?}");
            }
            Err(_) => {}
        }
        assert!(Instant::now() < give_up, "{number} is never done");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn is_not_applied(status: &Status) -> bool {
    refusal(status).is_some_and(|(_, _, outcome)| outcome == "NOT_APPLIED")
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_refunds_each_number_once() {
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::on_a_file().await;
    world.sandbox.with_book(|book| {
        (0..PAYMENTS).for_each(|it| book.add_payment(&format!("P{it}"), 1_000_000, 0));
    });
    for _ in 0..FAULTS {
        let (execute, delay, answer) = fault(&mut random);
        world.spoil(execute, delay, answer);
    }
    let mut server = world.start().await;
    let address = Arc::new(Mutex::new(server.grpc));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (address, sandbox) = (Arc::clone(&address), world.sandbox.clone());
            tokio::spawn(async move {
                let payment = format!("P{}", caller % PAYMENTS);
                for refund in 0..REFUNDS_EACH {
                    let number = format!("R{caller}-{refund}");
                    insist(&address, &sandbox, (&payment, &number)).await;
                }
            })
        })
        .collect();
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.random_range(50..900))).await;
        server.kill();
        server = world.start().await;
        *address.lock().unwrap() = server.grpc;
    }
    for caller in callers {
        caller.await.unwrap();
    }
    for caller in 0..CALLERS {
        for refund in 0..REFUNDS_EACH {
            assert_eq!(world.executed(&format!("R{caller}-{refund}")), 1);
        }
    }
    let refunds = CALLERS * REFUNDS_EACH;
    assert_eq!(world.executions(), refunds);
    assert_eq!(server.metric("sunmi_refund_unknown_outcome"), 0);
}
