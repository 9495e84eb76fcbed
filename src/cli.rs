//! The command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Termination};
use std::{fs, io};

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

mod health;
mod help;
mod refunds;

use crate::clock;
use crate::config::{self, Again, Config, ConfigFault, Sources};
use crate::error::{BoxError, Chain, Fault};
use crate::explain;
use crate::sandbox::http::Sandbox;
use crate::server::{self, Listeners};
use crate::sunmi::KeyRing;
use crate::sunmi::params::{AppKey, Params, SIGN};
use crate::telemetry::{self, Format, Settings};
use crate::trade::Identifier;

use health::Health;

/// The exit status for errors of use: `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;

/// A gRPC server in front of the Sunmi trade API.
#[derive(Debug, Parser)]
#[command(version, after_help = help::MAIN)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve gRPC
    ///
    /// Settings come from the file, overridden by the environment
    /// (SUNMI_TRADE__SECTION__KEY), overridden by flags.
    #[command(after_help = help::SERVE)]
    Serve(Serve),
    /// Serve a stand-in for Sunmi over HTTP, to test against
    ///
    /// Accepts the app_id "sandbox" with the key "sandbox-key", or what
    /// SUNMI_TRADE_APP_ID and SUNMI_TRADE_APP_KEY name. GET /sandbox/books shows what
    /// really happened; POST /sandbox/faults spoils answers.
    #[command(after_help = help::SANDBOX)]
    Sandbox {
        /// Address and port to listen on [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDR")]
        listen: Option<String>,
    },
    /// Sign parameters as Sunmi wants it, to find out why it says E05
    ///
    /// Prints the string that is signed, with the key masked, and the signature. The key
    /// comes from SUNMI_TRADE_APP_KEY or a file, never from the command line, where other
    /// users of the machine could see it.
    #[command(after_help = help::SIGN)]
    Sign {
        /// A file with the app key
        #[arg(long, value_name = "FILE")]
        app_key_file: Option<PathBuf>,
        /// Parameters with raw values, such as amount=1
        #[arg(value_name = "NAME=VALUE", required = true)]
        parameters: Vec<String>,
    },
    /// Check the configuration and print it, secrets redacted
    ///
    /// Takes what serve takes and starts nothing. What it prints is a configuration file:
    /// every setting with the value in force. Faults are listed by name, never by value.
    #[command(after_help = help::CHECK_CONFIG)]
    CheckConfig(Serve),
    /// Look into the refund ledger, and decide what cannot be found out
    ///
    /// docs/refunds.md says what the states mean and when a person has to decide.
    #[command(after_help = help::REFUNDS)]
    Refunds {
        /// A configuration file, in TOML
        #[arg(long, value_name = "FILE", global = true)]
        config: Option<PathBuf>,
        /// The address of the Sunmi that the ledger belongs to, where serve is given one
        #[arg(long, value_name = "URL", global = true)]
        upstream_base_url: Option<String>,
        /// Whose refunds: needed of one refund where several app_ids have used its number
        #[arg(long, value_name = "ID", global = true, value_parser = refunds::app_id)]
        app_id: Option<Identifier>,
        #[command(subcommand)]
        action: refunds::Action,
    },
    /// Ask a server for its health, as probes do
    ///
    /// A client of grpc.health.v1. Without --addr it asks the server of the configuration on this
    /// machine: over TLS where that has TLS, and only if it shows the very certificate of its file.
    #[command(after_help = help::HEALTH)]
    Health(Box<health::Health>),
    /// Explain an error by Sunmi's code or by its reason, such as E22
    ///
    /// Says the gRPC status, what it means for a refund, whether this server tries again by
    /// itself, and what to do next.
    #[command(after_help = help::EXPLAIN)]
    Explain {
        /// A code or reason; without one, the whole table
        name: Option<String>,
    },
}

#[derive(Debug, Default, Args)]
struct Serve {
    /// A configuration file, in TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port of gRPC [default: 127.0.0.1:50051]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Address and port of /metrics, /livez and /readyz [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR")]
    admin_listen: Option<String>,
    /// Call a sandbox that is started with the server: no account needed, no money moves
    #[arg(long)]
    sandbox: bool,
    /// Call Sunmi, or a stand-in for it, at this address (upstream.environment = custom)
    #[arg(long, value_name = "URL")]
    upstream_base_url: Option<String>,
}

/// The environment of the process.
pub type Env = BTreeMap<String, String>;

/// Runs the program with these arguments and this environment.
pub fn main(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if asked { 0 } else { USAGE });
        }
    };
    let env = match readable(env) {
        Ok(env) => env,
        Err(faults) => return usage(faults),
    };
    match cli.command {
        Command::Serve(flags) => with_config(&flags, env, config::load, |config, sources| {
            let file = flags.config.as_deref().filter(|path| path.is_file());
            let file = file.map(|path| Again::new(path.into(), sources.clone(), flags.sandbox));
            serve(config, file, &sources.env)
        }),
        Command::Sandbox { listen } => sandbox(listen, env),
        Command::Sign { app_key_file, parameters } => {
            sign(&parameters, app_key_file.as_deref(), &env)
        }
        Command::CheckConfig(flags) => with_config(&flags, env, config::load, |config, _| {
            print!("{}", config.to_toml());
            ExitCode::SUCCESS
        }),
        Command::Refunds { config, upstream_base_url, app_id, action } => {
            let place = refunds::Place::of(config.as_deref(), upstream_base_url.as_deref());
            let flags = Serve { config, upstream_base_url, ..Serve::default() };
            let load = if action.must_ask() { config::load } else { config::load_to_visit };
            with_config(&flags, env, load, |config, sources| {
                run(&sources.env, &config.telemetry, async {
                    refunds::run(&config, &place, action, app_id).await
                })
            })
        }
        Command::Health(health) => ask_health(&health, env),
        Command::Explain { name } => explain(name.as_deref()),
    }
}

/// The environment as text. What is not text is none of ours, unless its name says so.
fn readable(env: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Env, Vec<String>> {
    let mut texts = Env::new();
    let mut faults = Vec::new();
    for (name, value) in env {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => drop(texts.insert(name, value)),
            (Ok(name), Err(_)) if name.starts_with(config::ENV_PREFIX) => {
                faults.push(format!("{name}: must be UTF-8"));
            }
            (Ok(_) | Err(_), Ok(_) | Err(_)) => {}
        }
    }
    if faults.is_empty() { Ok(texts) } else { Err(faults) }
}

/// Reads a configuration.
type Load = fn(&Sources, bool) -> Result<Config, Vec<ConfigFault>>;

fn with_config(
    flags: &Serve,
    env: Env,
    load: Load,
    run: impl FnOnce(Config, &Sources) -> ExitCode,
) -> ExitCode {
    let sources = match sources(flags, env) {
        Ok(sources) => sources,
        Err(fault) => return usage([fault]),
    };
    match load(&sources, flags.sandbox) {
        Ok(config) => run(config, &sources),
        Err(faults) => usage(faults.iter().map(ConfigFault::to_string)),
    }
}

fn sources(flags: &Serve, env: Env) -> Result<Sources, String> {
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path);
        text.map_err(|error| format!("--config {}: {error}", path.display()))
    };
    let file = flags.config.as_ref().map(read).transpose()?;
    Ok(Sources { file, env, flags: flags.settings() })
}

impl Serve {
    /// The flags as settings.
    fn settings(&self) -> Vec<(&'static str, &'static str, String)> {
        let custom = self.upstream_base_url.as_ref().map(|_| "custom".to_owned());
        [
            ("--listen", "listen", &self.listen),
            ("--admin-listen", "admin_listen", &self.admin_listen),
            ("--upstream-base-url", "upstream.base_url", &self.upstream_base_url),
            ("--upstream-base-url", "upstream.environment", &custom),
        ]
        .into_iter()
        .filter_map(|(flag, key, value)| Some((flag, key, value.clone()?)))
        .collect()
    }
}

fn serve(config: Config, file: Option<Again>, env: &Env) -> ExitCode {
    let telemetry = config.telemetry.clone();
    run(env, &telemetry, async {
        let listeners = Listeners::bind(&config).await?;
        server::run_with(config, file, listeners, asked_to_stop()?).await
    })
}

fn ask_health(health: &Health, env: Env) -> ExitCode {
    let flags = Serve { config: health.config.clone(), ..Serve::default() };
    let sources = match sources(&flags, env) {
        Ok(sources) => sources,
        Err(fault) => return usage([fault]),
    };
    let port = match (!health.names_server()).then(|| config::port(&sources)).transpose() {
        Ok(port) => port,
        Err(faults) => return usage(faults.iter().map(ConfigFault::to_string)),
    };
    run(&sources.env, &Settings::default(), health.ask(port.as_ref()))
}

fn sandbox(listen: Option<String>, env: Env) -> ExitCode {
    let flags = listen.map(|listen| ("--listen", "listen", listen)).into_iter().collect();
    let sources = Sources { file: None, env, flags };
    let config = match config::sandbox(&sources) {
        Ok(config) => config,
        Err(faults) => return usage(faults.iter().map(ConfigFault::to_string)),
    };
    run(&sources.env, &Settings::default(), async {
        let listener = server::bind("listen", config.listen).await?;
        tracing::info!(address = %listener.local_addr()?, "serving as sandbox");
        let stop = asked_to_stop()?;
        tokio::select! {
            never = Sandbox::new(config.credentials.iter()).serve(listener) => match never {},
            () = stop => Ok(()),
        }
    })
}

/// Runs to the end on a runtime of its own.
fn run<T: Termination>(
    env: &Env,
    settings: &Settings,
    work: impl Future<Output = Result<T, BoxError>>,
) -> ExitCode {
    let rust_log = env.get("RUST_LOG").map(String::as_str);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.map_err(BoxError::from).and_then(|runtime| {
        let result = {
            let _on_it = runtime.enter();
            // Ends before the runtime, on which it sends its last.
            telemetry::init(settings, rust_log).and_then(|_telemetry| runtime.block_on(work))
        };
        // Dropped, it would wait for whatever blocks, such as a name that is being looked up.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(done) => done.report(),
        Err(error) => {
            eprintln!("{}", last_words(settings.log.format, &Chain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

/// Why the process ends, as a line like those of the log. It is none of them: whoever starts
/// the process has to learn it whatever the filter.
fn last_words(format: Format, error: &Chain<'_>) -> String {
    let timestamp = || Timestamp::try_from(clock::now()).map(|now| now.to_string()).ok();
    match format {
        Format::Human => format!("sunmi-trade: {error}"),
        Format::Json => json!({
            "timestamp": timestamp(),
            "level": "ERROR",
            "message": "ended",
            "error": error.to_string(),
            "target": module_path!(),
        })
        .to_string(),
    }
}

/// Ends when the process is asked to stop. Asked a second time, the process ends at once.
fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Its terminal went away.
    let mut hangup = signal(SignalKind::hangup())?;
    let mut asked = async move || {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {}, _ = hangup.recv() => {} }
    };
    Ok(async move {
        asked().await;
        tokio::spawn(async move {
            asked().await;
            std::process::exit(1);
        });
    })
}

fn sign(parameters: &[String], key_file: Option<&Path>, env: &Env) -> ExitCode {
    let mut params = Params::default();
    let mut faults = Vec::new();
    for (at, parameter) in (1..).zip(parameters) {
        match parameter.split_once('=') {
            // Not shown: it may be a key in the wrong place.
            Some(("", _)) | None => faults.push(format!("parameter {at}: must be NAME=VALUE")),
            Some((name, "")) => eprintln!("{name}: empty, so neither sent nor signed"),
            Some((SIGN, _)) => eprintln!("{SIGN}: never among what is signed"),
            Some((name, value)) => params.set(name.to_owned(), value),
        }
    }
    match app_key(key_file, env) {
        Ok(key) if faults.is_empty() => {
            println!("string to sign: {}<app key>", params.string_to_sign());
            println!("sign: {}", params.signature(&key));
            ExitCode::SUCCESS
        }
        Ok(_) => usage(faults),
        Err(fault) => usage(faults.into_iter().chain([fault])),
    }
}

/// The key to sign with, from the file or else the environment: of two the first.
fn app_key(file: Option<&Path>, env: &Env) -> Result<AppKey, String> {
    let (name, text) = match file {
        Some(path) => {
            let name = format!("--app-key-file {}", path.display());
            let text = fs::read(path).map_err(|error| format!("{name}: {error}"))?;
            (name, text)
        }
        None => {
            let text = env.get(config::APP_KEY).filter(|text| !text.is_empty());
            let missing = || {
                format!("the app key is missing: set {} or give --app-key-file", config::APP_KEY)
            };
            (config::APP_KEY.to_owned(), text.ok_or_else(missing)?.clone().into_bytes())
        }
    };
    let keys = KeyRing::parse(&text).map_err(|rule| format!("{name}: {rule}"))?;
    Ok(keys.preferred())
}

fn explain(name: Option<&str>) -> ExitCode {
    let Some(name) = name else {
        println!("{}", explain::TABLE_HEAD);
        Fault::ALL.into_iter().for_each(|fault| println!("{}", explain::table_row(fault)));
        return ExitCode::SUCCESS;
    };
    match explain::explain(name) {
        text if text.is_empty() => usage([format!("{name}: neither a Sunmi code nor a reason")]),
        text => {
            print!("{text}");
            ExitCode::SUCCESS
        }
    }
}

/// Prints one line per fault.
fn usage(faults: impl IntoIterator<Item = String>) -> ExitCode {
    for fault in faults {
        eprintln!("sunmi-trade: {fault}");
    }
    ExitCode::from(USAGE)
}
