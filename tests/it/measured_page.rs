//! The page of metrics, and the document that lists them.

use std::collections::{BTreeMap, BTreeSet};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::calls;
use crate::certificates::{Authority, Folder};
use crate::measures::scrape;
use crate::server::{APP_ID, Server, query, refund, settings};
use crate::serving::page;
use crate::upstream::{QUERY, REFUND, Upstream};

/// A server that has seen calls, without TLS.
async fn start() -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::paid()).always(REFUND, calls::accepted());
    let server = Server::start(&settings(upstream.address)).await;
    query(&server, calls::query("O1")).await.unwrap();
    refund(&server, calls::refund("R1")).await.unwrap();
    (upstream, server)
}

/// The type and the names of the labels.
type Family = (String, BTreeSet<String>);

/// The families that are served.
fn served(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            families.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else if let Some((series, labels)) = line.split_once('{') {
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| series.strip_suffix(end).filter(|it| families.contains_key(*it)))
                .unwrap_or(series);
            let (_, names) = families.get_mut(name).expect("a type before the series");
            let (labels, _) = labels.rsplit_once('}').unwrap();
            let labels = labels.split(',').map(|label| label.split_once('=').unwrap().0);
            names.extend(labels.filter(|name| *name != "le").map(str::to_owned));
        }
    }
    families
}

/// The families of the document: a row of a table each, of name, type, labels and meaning.
fn documented(text: &str) -> BTreeMap<String, Family> {
    let code = |cell: &str| -> BTreeSet<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let mut families = BTreeMap::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let name = code(cells[0]).pop_first().unwrap();
        let family = (cells[1].trim().to_owned(), code(cells[2]));
        assert_eq!(families.insert(name.clone(), family), None, "{name} is there twice");
    }
    families
}

#[tokio::test]
async fn the_documented_metrics_are_those_that_are_served() {
    let (upstream, server) = start().await;
    let (_, text) = page(&server, "/metrics").await;
    assert!(!text.contains("sunmi_tls_certificate_expiry_seconds"));
    let folder = Folder::new(&Authority::new().server());
    let secured = Server::start(&folder.settings(settings(upstream.address))).await;
    let (_, text) = page(&secured, "/metrics").await;
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let document = std::fs::read_to_string(document).unwrap();
    let (documented, served) = (documented(&document), served(&text));
    for (name, family) in &served {
        assert_eq!(documented.get(name), Some(family), "{name} in docs/metrics.md");
    }
    for name in documented.keys() {
        assert!(served.contains_key(name), "docs/metrics.md has {name}, which is not served");
    }
}

#[tokio::test]
async fn the_page_is_of_the_format_that_every_scraper_reads() {
    let (_upstream, server) = start().await;
    let mut stream = TcpStream::connect(server.admin).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{text}");
}

#[tokio::test]
async fn the_build_the_process_and_the_runtime_are_described() {
    let (_upstream, server) = start().await;
    let all = scrape(&server).await;
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(all[&format!("sunmi_trade_build_info{{version=\"{version}\"}}")], 1.0);
    assert!(all["tokio_workers"] >= 1.0);
    assert!(all["tokio_alive_tasks"] >= 1.0);
    assert!(all["process_resident_memory_bytes"] > 1e6);
    assert!(all["process_open_fds"] > 1.0);
}

/// Nobody's data is a label.
#[tokio::test]
async fn no_identifier_of_a_call_is_in_the_metrics() {
    let (_upstream, server) = start().await;
    let (_, text) = page(&server, "/metrics").await;
    let request = calls::refund("R1");
    for word in [request.msn.as_str(), "R1", "O1", "P1", APP_ID] {
        assert!(!text.contains(&format!("\"{word}\"")), "{word}");
    }
}
