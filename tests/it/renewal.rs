//! Certificates that change while the server runs.

use std::os::unix::fs::symlink;
use std::path::Path;

use uuid::Uuid;

use crate::calls;
use crate::certificates::{Authority, Caller, Folder, Issued, der};
use crate::server::{GUARD, Server, settings};
use crate::serving::page;
use crate::tls::{Secured, served, upstream};

/// The other authority counts at once, for those who were let in by the old one, too.
#[tokio::test]
async fn the_authority_of_callers_can_be_replaced() {
    let (upstream, authority) = (upstream().await, Authority::new());
    let (old, new) = (Authority::new(), Authority::new());
    let folder = Folder::new(&authority.server());
    folder.write("ca.crt", &old.pem());
    let server = Server::start(&folder.mutual(settings(upstream.address), "required")).await;
    let by = |issuer: &Authority| Caller::new(&authority, Some(&issuer.client("a:b", "a")));
    let (of_old, of_new) = (by(&old), by(&new));
    served(&of_old, &server).await.unwrap();
    served(&of_new, &server).await.unwrap_err();
    folder.write("ca.crt", &new.pem());
    let replaced = async { while served(&of_new, &server).await.is_err() {} };
    tokio::time::timeout(GUARD, replaced).await.expect("the new one in force in time");
    served(&of_old, &server).await.unwrap_err();
}

/// Replaces a certificate while callers make new connections all the time. No call fails.
async fn rotated(secured: &Secured, caller: &Caller, replace: impl FnOnce(&Issued)) {
    let issued = secured.authority.server();
    replace(&issued);
    let new = der(&issued);
    let calling = async {
        loop {
            served(caller, &secured.server).await.expect("a call on a new connection");
            if caller.shown(&secured.server).await.expect("a certificate") == new {
                break;
            }
        }
    };
    let (kept, done) = tokio::join!(
        async {
            let mut kept = caller.client(&secured.server).await.unwrap();
            for _ in 0..20 {
                kept.query(calls::query("O1")).await.expect("a call on a connection of old");
            }
        },
        tokio::time::timeout(GUARD, calling),
    );
    let () = kept;
    done.expect("the new one is shown in time");
    served(caller, &secured.server).await.unwrap();
}

#[tokio::test]
async fn a_certificate_can_be_replaced_in_place_under_load() {
    let secured = Secured::start(&[]).await;
    let caller = secured.caller();
    for _ in 0..3 {
        rotated(&secured, &caller, |issued| secured.folder.put(issued)).await;
    }
}

/// Makes `..data` a link to a new folder with these files, as Kubernetes does: the files are
/// links through it.
fn swap(mount: &Path, issued: &Issued) {
    let data = mount.join(format!("..{}", Uuid::new_v4()));
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("tls.crt"), &issued.certificate).unwrap();
    std::fs::write(data.join("tls.key"), &issued.key).unwrap();
    symlink(data.file_name().unwrap(), mount.join("..data_tmp")).unwrap();
    let old = std::fs::read_link(mount.join("..data")).ok();
    std::fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    if let Some(old) = old {
        std::fs::remove_dir_all(mount.join(old)).unwrap();
    }
}

#[tokio::test]
async fn a_certificate_can_be_replaced_by_a_swap_of_links_under_load() {
    let (upstream, authority) = (upstream().await, Authority::new());
    let first = authority.server();
    let folder = Folder::new(&first);
    for name in ["tls.crt", "tls.key"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
        symlink(Path::new("..data").join(name), folder.path().join(name)).unwrap();
    }
    swap(folder.path(), &first);
    let server = Server::start(&folder.settings(settings(upstream.address))).await;
    let secured = Secured { upstream, server, authority, folder };
    let caller = secured.caller();
    assert_eq!(caller.shown(&secured.server).await.unwrap(), der(&first));
    for _ in 0..3 {
        rotated(&secured, &caller, |issued| swap(secured.folder.path(), issued)).await;
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_leaves_the_old_one_in_force() {
    let secured = Secured::start(&[]).await;
    let caller = secured.caller();
    let old = caller.shown(&secured.server).await.unwrap();
    let (one, other) = (secured.authority.server(), secured.authority.server());
    let mixed = Issued { certificate: one.certificate.clone(), key: other.key };
    let broken = Issued { certificate: "no certificate".to_owned(), key: one.key.clone() };
    let cut = Issued { certificate: one.certificate[..200].to_owned(), key: one.key.clone() };
    for (at, bad) in [mixed, broken, cut].iter().enumerate() {
        secured.folder.put(bad);
        refused(&secured.server, at + 1).await;
        assert_eq!(caller.shown(&secured.server).await.unwrap(), old);
        served(&caller, &secured.server).await.unwrap();
    }
    rotated(&secured, &caller, |issued| secured.folder.put(issued)).await;
}

/// Waits until so many reloads have failed.
async fn refused(server: &Server, times: usize) {
    let line = r#"sunmi_reload_total{kind="certificate",result="error"} "#;
    let counted = async {
        loop {
            let (_, page) = page(server, "/metrics").await;
            let at = page.find(line).expect("the count") + line.len();
            let count: usize = page[at..].lines().next().unwrap().parse().unwrap();
            if count >= times {
                return;
            }
        }
    };
    tokio::time::timeout(GUARD, counted).await.expect("a failure that is counted");
}
