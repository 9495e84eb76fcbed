//! Known secrets go in wherever secrets go in, every path is taken at the lowest level of
//! logging, and the secrets come out nowhere.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use sunmi_trade::api::pb::trade_service_client::TradeServiceClient;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use crate::calls::{query, refund, swipe_query, with};
use crate::collector::Collector;
use crate::process::{Server, run};
use crate::scratch::Scratch;
use crate::sunmi::{ODD, Sunmi};

const KEY: &str = "canary-key-1-5b9b4daef34632fd";
const OLD_KEY: &str = "canary-key-old-24736589ae17d333";
/// With what is escaped in forms.
const OTHER_KEY: &str = "canary+key/2=e362859bf4c";
const TOKEN: &str = "canary-token-1-d6e4c2a0";
const OLD_TOKEN: &str = "canary-token-old-1b3d5f70";
const WRONG_TOKEN: &str = "canary-token-wrong-99887766";
const PASSWORD: &str = "canary-password-0f1e2d3c";
const PROXY_PASSWORD: &str = "canary-proxy-4b5a6978";
const COLLECTOR_TOKEN: &str = "canary-collector-8796a5b4";
const PEM: &str =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwCanaryPrivateKey0123456789\n-----END PRIVATE KEY-----\n";

const SECRETS: [&str; 10] = [
    KEY,
    OLD_KEY,
    OTHER_KEY,
    TOKEN,
    OLD_TOKEN,
    WRONG_TOKEN,
    PASSWORD,
    PROXY_PASSWORD,
    COLLECTOR_TOKEN,
    "CanaryPrivateKey",
];

/// Fails if one of these is in the text, in whatever case, plain or as in a form.
#[track_caller]
fn assert_hidden(what: &str, text: &[u8], signatures: impl IntoIterator<Item = String>) {
    let text = String::from_utf8_lossy(text).to_lowercase();
    assert!(!text.is_empty(), "{what} is empty");
    let known = SECRETS.into_iter().map(str::to_owned);
    for secret in known.chain(signatures) {
        let escaped: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for form in [secret.as_str(), &escaped].map(str::to_lowercase) {
            if let Some(at) = text.find(&form) {
                let around: String = text[..at].chars().rev().take(300).collect();
                let around: String = around.chars().rev().collect();
                panic!("{form} is in {what}, after …{around}");
            }
        }
    }
}

/// Files with secrets, and the configuration that names them.
struct Plant {
    files: Scratch,
    /// What callers trust.
    certificate: String,
    /// The lines of the key of that.
    tls_key: Vec<String>,
}

impl Plant {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, pem) = (made.cert.pem(), made.signing_key.serialize_pem());
        let inside = pem.lines().filter(|line| !line.starts_with('-'));
        let tls_key = inside.map(str::to_owned).collect();
        let plant = Self { files: Scratch::new(), certificate, tls_key };
        plant.file("tls.crt", &plant.certificate);
        plant.file("tls.key", &pem);
        plant.file("app-1.key", &format!("{KEY}\n{OLD_KEY}\n"));
        plant.file("tokens", &format!("{TOKEN}\n{OLD_TOKEN}\n"));
        plant.file("key.pem", PEM);
        plant
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A configuration with everything in its place.
    fn config(&self, ledger: &str) -> String {
        let folder = self.files.path().display();
        format!(
            r#"
            [refund]
            ledger = "{ledger}"
            min_left = "0s"
            [upstream]
            connect_timeout = "200ms"
            attempt_timeout = "300ms"
            [tls]
            certificate_file = "{folder}/tls.crt"
            key_file = "{folder}/tls.key"
            [[credentials]]
            app_id = "app-1"
            app_key_file = "{folder}/app-1.key"
            [[credentials]]
            app_id = "app-2"
            app_key = "{OTHER_KEY}"
            [[callers]]
            name = "till"
            token_file = "{folder}/tokens"
            rpcs = ["Query", "Refund", "SwipeQuery"]
            "#
        )
    }
}

/// All that a caller is told, as text.
fn told<T: Debug>(answer: Result<Response<T>, Status>) -> String {
    match answer {
        Ok(response) => format!("{response:?}\n"),
        Err(status) => {
            let details = String::from_utf8_lossy(status.details()).into_owned();
            format!("{status:?} {details}\n")
        }
    }
}

fn bearing<T>(message: T, token: &str) -> Request<T> {
    let mut request = with(message, &[("authorization", &format!("Bearer {token}"))]);
    request.set_timeout(Duration::from_secs(2));
    request
}

/// Every call of an order, by a caller with this token, as this `app_id`.
async fn all_calls(
    client: TradeServiceClient<Channel>,
    order: &str,
    app_id: &str,
    token: &str,
) -> String {
    let [mut one, mut two, mut three] = [client.clone(), client.clone(), client];
    let app_id = app_id.to_owned();
    let mut read = query(order);
    read.app_id.clone_from(&app_id);
    let mut card = swipe_query(order);
    card.app_id.clone_from(&app_id);
    // Its own number, so that it is sent, and answered in the same way.
    let mut back = refund(&format!("{order}.{app_id}"));
    back.app_id = app_id;
    let (read, card, back) = tokio::join!(
        one.query(bearing(read, token)),
        two.swipe_query(bearing(card, token)),
        three.refund(bearing(back, token)),
    );
    told(read) + &told(card) + &told(back)
}

async fn every_path(format: &str) {
    let (plant, sunmi) = (Plant::new(), Sunmi::start(OTHER_KEY).await);
    let collector = Collector::start().await;
    let endpoint = collector.endpoint();
    let (proxy, header) = (
        format!("http://user:{PROXY_PASSWORD}@127.0.0.1:9"),
        format!("authorization=Bearer%20{COLLECTOR_TOKEN}"),
    );
    let env = [
        ("RUST_LOG", "trace"),
        ("RUST_BACKTRACE", "1"),
        ("SUNMI_TRADE__LOG__FORMAT", format),
        ("SUNMI_TRADE__TRACING__ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_HEADERS", &header),
        ("HTTP_PROXY", &proxy),
        ("HTTPS_PROXY", &proxy),
    ];
    let mut server = Server::start(&sunmi, &plant.config("memory"), &env).await;
    let client = server.client_over_tls(&plant.certificate).await;
    let orders = ODD.into_iter().chain(["FINE", "FLAKY", "E01", "HANG"]);
    let calls = orders.flat_map(|order| ["app-1", "app-2"].map(|app_id| (order, app_id)));
    let calls = calls.map(|(order, app_id)| all_calls(client.clone(), order, app_id, TOKEN));
    let mut answers: String = join_all(calls).await.concat();
    // This one is what app-2 signs with, which Sunmi knows, too.
    answers += &all_calls(client.clone(), "SHOW-KEY", "app-2", OLD_TOKEN).await;
    assert!(answers.matches("[redacted]").count() > 20, "Sunmi showed nothing:\n{answers}");
    let unknown = all_calls(client.clone(), "FINE", "app-1", WRONG_TOKEN).await;
    assert_eq!(unknown.matches("Unauthenticated").count(), 3, "{unknown}");
    let nobody = client.clone().query(query(TOKEN)).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
    let (metrics, people) = (server.get("/metrics"), server.get("/"));
    assert!(server.stop().await.success());

    let signatures = sunmi.signatures();
    assert!(signatures.len() > 100, "{signatures:?}");
    assert!(server.output().matches("Refund").count() > 40);
    for (what, text) in [
        ("the output", server.output().into_bytes()),
        ("the answers", (answers + &unknown).into_bytes()),
        ("the metrics", metrics.into_bytes()),
        ("the page for people", people.into_bytes()),
        ("the spans", collector.bytes()),
    ] {
        assert_hidden(what, &text, signatures.clone().into_iter().chain(plant.tls_key.clone()));
    }
}

#[tokio::test]
async fn no_secret_is_seen_in_a_log_for_people_or_told_to_anyone() {
    every_path("human").await;
}

#[tokio::test]
async fn no_secret_is_seen_in_a_log_in_json() {
    every_path("json").await;
}

/// What it prints is all that it shows, but for its exit status, which must be this.
#[track_caller]
fn assert_shows_nothing(
    (args, status): (&[&str], i32),
    config: &PathBuf,
    env: &[(&str, &str)],
    tls_key: &[String],
) {
    let output = run(args, Some(config), env);
    let text = [output.stdout, output.stderr].concat();
    let what = format!("what {args:?} prints of {}", config.display());
    assert_eq!(output.status.code(), Some(status), "{}", String::from_utf8_lossy(&text));
    assert_hidden(&what, &text, tls_key.iter().cloned());
}

#[test]
fn no_secret_is_seen_in_what_is_checked() {
    let plant = Plant::new();
    let ledger = format!("postgres://user:{PASSWORD}@127.0.0.1/db");
    let config = plant.file("good.toml", &plant.config(&ledger));
    assert_shows_nothing((&["check-config"], 0), &config, &[("RUST_LOG", "trace")], &plant.tls_key);
}

#[test]
fn no_secret_is_seen_where_it_is_out_of_place() {
    let plant = Plant::new();
    let folder = plant.files.path().display().to_string();
    let good = plant.config("memory");
    for (at, wrong) in [
        format!("listen = \"{KEY}\"\n{good}"),
        format!("reflection = \"{KEY}\"\n{good}"),
        format!("default_app_id = \"{KEY}\"\n{good}"),
        format!("admin_listen = {KEY}\n{good}"),
        format!("callers = \"{TOKEN}\"\n"),
        format!("{good}app_ids = [\"{TOKEN}\"]\n"),
        format!("{good}max_refund_minor = \"{TOKEN}\"\n"),
        format!("{good}max_refund_per_day_minor = \"{TOKEN}\"\n"),
        format!("{good}[log]\nfilter = \"x=y={KEY}\"\nformat = \"{KEY}\"\n"),
        format!(
            "{good}[tracing]\nendpoint = \"http://x:{PASSWORD}@h\"\nsample_ratio = \"{KEY}\"\n"
        ),
        format!("{good}[shutdown]\ndrain = \"{KEY}\"\n"),
        good.replace("memory", &format!("postgres://u:{PASSWORD}@h/d?wrong=1")),
        good.replace("memory", &format!("mysql://u:{PASSWORD}@h/d")),
        good.replace("[upstream]", &format!("[upstream]\nproxy = \"http://u:{PROXY_PASSWORD}@h\"")),
        good.replace("[upstream]", &format!("[upstream]\nenvironment = \"{KEY}\"")),
        good.replace(&format!("\"{folder}/app-1.key\""), &format!("\"{KEY}\"")),
        good.replace(&format!("\"{folder}/tokens\""), &format!("\"{TOKEN}\"")),
        good.replace(&format!("{folder}/tokens"), &format!("{folder}/key.pem")),
        good.replace("app_key = ", "app_key = 1 "),
        good.replace(&format!("{folder}/app-1.key"), &format!("{folder}/key.pem")),
        good.replace("app_id = \"app-2\"", &format!("app_id = \"\"\"{PEM}\"\"\"")),
        good.replace("app_id = \"app-2\"", ""),
        good.replace(&format!("{folder}/tls.crt"), &format!("{folder}/tls.key")),
        good.replace(&format!("{folder}/tls.key"), &format!("{folder}/key.pem")),
        good.replace(&format!("{folder}/app-1.key"), &format!("{folder}/tls.key")),
    ]
    .into_iter()
    .enumerate()
    {
        assert_ne!(wrong, good, "{at}");
        let config = plant.file(&format!("wrong-{at}.toml"), &wrong);
        for args in [["check-config"], ["serve"]] {
            assert_shows_nothing((&args, 64), &config, &[("RUST_LOG", "trace")], &plant.tls_key);
        }
    }
    let config = plant.file("good.toml", &good);
    for name in ["SUNMI_TRADE__LISTEN", "SUNMI_TRADE__RETRY__MAX_ATTEMPTS", "SUNMI_TRADE_APP_KEY"] {
        assert_shows_nothing((&["check-config"], 64), &config, &[(name, KEY)], &plant.tls_key);
    }
}

/// Bound, and nothing listens on it.
#[test]
fn no_secret_is_seen_when_the_database_is_not_there() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let plant = Plant::new();
    let ledger = format!("postgres://user:{PASSWORD}@{address}/db");
    let config = plant.file("dead.toml", &plant.config(&ledger));
    for format in ["human", "json"] {
        let env = [("RUST_LOG", "trace"), ("SUNMI_TRADE__LOG__FORMAT", format)];
        let args = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        assert_shows_nothing((&args, 1), &config, &env, &plant.tls_key);
    }
}
