//! Where the links of an English page lead in Chinese.

use super::page::Page;

/// All pages that there are in both languages, English first.
pub(super) struct Links {
    pub(super) pages: Vec<(Page, Page)>,
}

impl Links {
    /// The target that the Chinese page should have in the place of this one of the English page:
    /// the Chinese page with the heading at the same place, where there is one. None if it leads
    /// to a heading or a file that is not there.
    pub(super) fn chinese(&self, english: &Page, chinese: &Page, target: &str) -> Option<String> {
        if target.contains("://") {
            return Some(target.to_owned());
        }
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = if file.is_empty() { english.path.clone() } else { within(&english.path, file) };
        let pair = self.pages.iter().find(|(english, _)| english.path == path);
        let (to, anchor) = match pair {
            Some((_, to)) if anchor.is_empty() => (to.path.clone(), String::new()),
            Some((from, to)) => {
                let at = from.anchors().iter().position(|it| it == anchor)?;
                // Outlines that differ are told elsewhere.
                (to.path.clone(), to.anchors().get(at).cloned().unwrap_or_default())
            }
            None if is_there(&path, anchor) => (path, anchor.to_owned()),
            None => return None,
        };
        let file = if to == chinese.path { String::new() } else { from(&chinese.path, &to) };
        Some(if anchor.is_empty() { file } else { format!("{file}#{anchor}") })
    }
}

/// Whether the repository has this file, with this heading.
fn is_there(path: &str, anchor: &str) -> bool {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if anchor.is_empty() {
        return path.exists();
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    Page::parse("", &text).anchors().iter().any(|it| it == anchor)
}

/// The path in the repository of a file that a page links.
fn within(page: &str, file: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The relative link from a page to a file.
fn from(page: &str, file: &str) -> String {
    let (mut page, mut file): (Vec<_>, Vec<_>) =
        (page.split('/').collect(), file.split('/').collect());
    while page.len() > 1 && file.len() > 1 && page[0] == file[0] {
        page.remove(0);
        file.remove(0);
    }
    format!("{}{}", "../".repeat(page.len() - 1), file.join("/"))
}
