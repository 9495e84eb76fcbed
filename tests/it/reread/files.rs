//! Files that are not in order, and what else stands in them.

use std::fs;

use sunmi_trade::config::{self, Again, Sources};

use super::world::{Files, LOADED, REFUSED, STALE, World, credential};
use crate::calls;
use crate::measures::{measure, until};
use crate::server::{GUARD, query, with};
use crate::upstream::QUERY;

#[tokio::test]
async fn a_file_that_is_not_in_order_changes_nothing_and_is_told_until_one_is() {
    let world = World::new(|_| credential("app-1", "k")).await;
    world.upstream.always(QUERY, calls::paid());
    let path = world.files.path("config.toml");
    let other = credential("app-2", "two");
    let put = |text: &str| world.files.put("config.toml", text);
    let caller = world.files.caller("one", "rpcs = ['Query']\napp_ids = ['app-9']");
    let spoil: [&dyn Fn(); 10] = [
        &|| put(""),
        &|| put(" \n\n"),
        &|| put(&format!("{other}[[credentials]]\napp_id = 'a")),
        &|| put(&format!("{other}nonsense = true")),
        &|| put(&format!("{other}{other}")),
        &|| put("reflection = true"),
        &|| put(&format!("{other}{caller}")),
        &|| world.files.put("config.toml", b"\xFF\xFE"),
        &|| fs::remove_file(&path).unwrap(),
        // Root may read any file, but no folder.
        &|| fs::create_dir(&path).unwrap(),
    ];
    for (spoilt, spoil) in (1..).zip(spoil) {
        spoil();
        until(&world.server, REFUSED, |count| count >= spoilt).await;
        until(&world.server, STALE, |stale| stale == 1).await;
        assert_eq!(measure(&world.server, REFUSED).await, spoilt);
        query(&world.server, calls::query("O1")).await.expect("what was in force");
    }
    assert_eq!(measure(&world.server, LOADED).await, 0);
    fs::remove_dir(&path).unwrap();
    put(&credential("app-1", "k"));
    until(&world.server, STALE, |stale| stale == 0).await;
    assert_eq!(measure(&world.server, LOADED).await, 0);
    world.says(other).await;
}

#[tokio::test]
async fn a_file_whose_fault_lies_in_another_is_in_force_when_that_is_in_order() {
    let world = World::new(|_| credential("app-1", "k")).await;
    world.upstream.always(QUERY, calls::paid());
    let file = world.files.path("key").display().to_string();
    let text = format!("[[credentials]]\napp_id = 'app-2'\napp_key_file = '{file}'\n");
    world.files.put("config.toml", text);
    until(&world.server, REFUSED, |count| count == 1).await;
    world.files.put("key", "two");
    until(&world.server, LOADED, |count| count == 1).await;
    query(&world.server, calls::query("O1")).await.unwrap();
    assert_eq!(world.upstream.only().form["app_id"], "app-2");
}

/// As Kubernetes updates a ConfigMap: the file is a link through `..data`, which is swapped.
#[tokio::test]
async fn a_file_that_is_a_link_through_a_swapped_folder_is_read_again() {
    use std::os::unix::fs::symlink;
    let files = Files::new();
    let mount = |version: &str, text: &str| {
        fs::create_dir(files.path(version)).unwrap();
        fs::write(files.path(version).join("config.toml"), text).unwrap();
        symlink(version, files.path("..data_tmp")).unwrap();
        fs::rename(files.path("..data_tmp"), files.path("..data")).unwrap();
    };
    mount("..1", &credential("app-1", "k"));
    symlink("..data/config.toml", files.path("config.toml")).unwrap();
    let upstream = crate::upstream::Upstream::start().await;
    upstream.always(QUERY, calls::paid());
    let path = files.path("config.toml");
    let sources = super::world::bare(&upstream);
    let server = crate::server::Server::start_rereading(&path, sources, false).await;
    mount("..2", &credential("app-2", "k"));
    fs::remove_dir_all(files.path("..1")).unwrap();
    until(&server, LOADED, |count| count == 1).await;
    query(&server, calls::query("O1")).await.unwrap();
    assert_eq!(upstream.only().form["app_id"], "app-2");
    assert_eq!(measure(&server, REFUSED).await, 0);
}

/// No call sees half of a file, however often it changes: the token is that of the credential.
#[tokio::test]
async fn callers_and_credentials_change_at_once() {
    let text = |files: &Files, app_id: &str| {
        let rights = format!("rpcs = ['Query']\napp_ids = ['{app_id}']");
        credential(app_id, "k") + &files.caller("one", &rights)
    };
    let world = World::new(|files| text(files, "app-1")).await;
    world.upstream.always(QUERY, calls::paid());
    let mut client = world.client("one").await;
    let calling = tokio::spawn(async move {
        loop {
            // The default is the only one, and the only one that the caller may use.
            let answer = crate::server::settle(client.query(calls::query("O1"))).await;
            answer.expect("both of one file");
        }
    });
    for round in 0..10 {
        world.says(text(&world.files, ["app-2", "app-1"][round % 2])).await;
    }
    assert!(!calling.is_finished());
    calling.abort();
    let ended = tokio::time::timeout(GUARD, calling).await.expect("an end");
    assert!(ended.unwrap_err().is_cancelled());
}

/// What lets strangers in is held against the settings that stay, not those of the new file.
#[test]
fn what_is_read_again_has_to_fit_what_the_server_runs_with() {
    let files = Files::new();
    let of = |listen: &str, callers: &str| {
        format!(
            "listen = '{listen}'\nrefund.ledger = 'sqlite://ledger.db'\n{}{callers}",
            credential("app-1", "k")
        )
    };
    let listed = files.caller("one", "rpcs = ['Query']");
    let text = of("0.0.0.0:50051", &listed);
    let sources = with(Sources { file: Some(text), ..Sources::default() }, &[]);
    let running = config::load(&sources, false).expect("settings in order");
    let again = Again::new(files.path("config.toml"), sources, false);
    let open = again.load(&of("127.0.0.1:50051", ""), &running).unwrap_err();
    assert!(open.iter().all(|fault| fault.key == "callers"), "{open:?}");
    assert!(open[0].rule.ends_with("(by the settings in force, until a restart)"), "{open:?}");

    let (now, changes) = again.load(&of("127.0.0.1:50051", &listed), &running).unwrap();
    assert_eq!((now.listen, changes.for_restart), (running.listen, vec!["listen".to_owned()]));
    let listen = now.settings.iter().find(|setting| setting.key == "listen").unwrap();
    assert_eq!(listen.in_force.as_deref(), Some("\"0.0.0.0:50051\""));
}
