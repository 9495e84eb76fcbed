//! Makes a refund, once, and tells whether it is done, declined or pending.
//!
//! Exit status: 0 every one is done, 3 one was declined, 4 one is pending, 64 wrong usage: then
//! nothing was sent.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use sunmi_trade_client::refund::Caller;
use sunmi_trade_client::server::Server;
use sunmi_trade_client::store::{Outcome, Record, Store, is_same_refund};
use sunmi_trade_client::v1::RefundRequest;
use sunmi_trade_client::v1::refund_request::Original;

/// Make a refund, once, and tell whether it is done, declined or pending.
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    server: Server,
    /// A folder for the records of refunds
    #[arg(long, value_name = "FOLDER")]
    store: PathBuf,
    /// Work on every pending record of the store
    #[arg(long, conflicts_with_all = ["number", "original", "amount", "besides"])]
    resume: bool,
    /// The refund's own number: make it once, and never again for another refund
    #[arg(long, required_unless_present = "resume")]
    number: Option<String>,
    /// The payment, by the shop's order number
    #[arg(long, required_unless_present = "resume")]
    original: Option<String>,
    /// How much to refund, in fen
    #[arg(long, required_unless_present = "resume", value_parser = clap::value_parser!(i64).range(1..))]
    amount: Option<i64>,
    /// The merchant's device
    #[arg(long, default_value = "TL05D91940002")]
    msn: String,
    /// The shop's business number
    #[arg(long, default_value = "B-1")]
    business: String,
    /// Open refunds of the payment that are wanted as well
    #[arg(long, value_name = "R-8,R-9", value_delimiter = ',')]
    besides: Vec<String>,
    /// How long one call may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// How long it may take in all, for each refund, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    patience: Duration,
}

fn seconds(text: &str) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    let seconds = Duration::try_from_secs_f64(text.parse()?)?;
    if seconds.is_zero() { Err("it must be more than 0".into()) } else { Ok(seconds) }
}

const PENDING: u8 = 4;
const WRONG_USAGE: u8 = 64;

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { WRONG_USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    run(&options).await.unwrap_or_else(|error| {
        eprintln!("nothing was sent: {error}");
        WRONG_USAGE.into()
    })
}

async fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let server = options.server.clone();
    let channel = server.channel()?;
    let (timeout, patience) = (options.timeout, options.patience);
    let caller = Caller { server, channel, timeout, patience };
    let store = Store::open(&options.store)?;
    if !options.resume {
        return Ok(one(&caller, &store, wanted(options)).await?.into());
    }
    let mut worst = 0;
    for record in store.all()? {
        let status = match record {
            Ok(record) if record.outcome != Outcome::Pending => Ok(0),
            Ok(record) => one(&caller, &store, record.request).await,
            Err(error) => Err(error.into()),
        };
        worst = worst.max(status.unwrap_or_else(|error| {
            eprintln!("left as it is: {error}");
            PENDING
        }));
    }
    Ok(worst.into())
}

/// Works on a refund that no other process works on.
async fn one(caller: &Caller, store: &Store, request: RefundRequest) -> Result<u8, Box<dyn Error>> {
    let Some(_lock) = store.lock(&request.order_id)? else {
        eprintln!("{}: another process works on it", request.order_id);
        return Ok(told(&request.order_id, Outcome::Pending));
    };
    let (record, maybe_sent) = recorded(store, request)?;
    Ok(settle(caller, store, record, maybe_sent).await)
}

/// What the command line asks for.
fn wanted(options: &Options) -> RefundRequest {
    RefundRequest {
        msn: options.msn.clone(),
        amount_minor: options.amount.unwrap_or_default(),
        original: options.original.clone().map(Original::OriOrderId),
        order_id: options.number.clone().unwrap_or_default(),
        business_id: options.business.clone(),
        acknowledged_open_order_ids: options.besides.clone(),
        ..RefundRequest::default()
    }
}

/// The record of a refund, on the disk before anything is sent, and whether a run before this one
/// may have sent it.
fn recorded(store: &Store, request: RefundRequest) -> Result<(Record, bool), Box<dyn Error>> {
    let before = store.read(&request.order_id)?;
    match &before {
        Some(before) if !is_same_refund(&before.request, &request) => {
            Err(format!("{} stands for another refund", request.order_id).into())
        }
        Some(before) if before.outcome != Outcome::Pending => Ok((before.clone(), true)),
        // What it acknowledges may be new since then; no word of it leaves what was.
        Some(before) if request.acknowledged_open_order_ids.is_empty() => {
            Ok((before.clone(), true))
        }
        Some(_) | None => {
            let record = Record { outcome: Outcome::Pending, request };
            store.write(&record)?;
            Ok((record, before.is_some()))
        }
    }
}

/// Leaves a record as settled as it can be, tells which way, and gives the exit status.
async fn settle(caller: &Caller, store: &Store, mut record: Record, maybe_sent: bool) -> u8 {
    if record.outcome == Outcome::Pending {
        record.outcome = caller.settle(&record.request, maybe_sent).await;
        if let Err(error) = store.write(&record) {
            // As it stands in the store, so that the next run asks again.
            eprintln!("the store cannot be written, and still says pending: {error}");
            record.outcome = Outcome::Pending;
        }
    }
    told(&record.request.order_id, record.outcome)
}

/// Tells how a refund was left, and gives its exit status.
fn told(number: &str, outcome: Outcome) -> u8 {
    let (word, status) = match outcome {
        Outcome::Done => ("done", 0),
        Outcome::Declined => ("declined", 3),
        Outcome::Pending => ("pending", PENDING),
    };
    println!("{number} {word}");
    status
}
