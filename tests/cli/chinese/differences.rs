//! What the comparison finds, on small pages.

use super::compare::Pair;
use super::links::Links;
use super::page::Page;

const ENGLISH: &str = "\
# Settings

Take `a` within 5 s, see [two](#two) and [the others](../README.md).

| setting | value | default |
|---|---|---|
| `a.b` | refused or doubt | `doubt` |
| `a.c` | a duration from 10ms to 1h | `5s` |

## Two

- `RETRY`: not E22
- `STOP`

```sh
do --this 1 NUMBER    # at once
```
";

const CHINESE: &str = "\
# 设置

在 5 秒内取 `a`，见[第二节](#第二节)和[其他](../README.md)。

| 设置 | 取值 | 默认值 |
|---|---|---|
| `a.b` | refused 或 doubt | `doubt` |
| `a.c` | 时长，10ms 至 1h | `5s` |

## 第二节

- `RETRY`：不是 E22
- `STOP`

```sh
do --this 1 NUMBER    # 立即
```
";

/// The differences of these two, as pages beside each other.
fn between(english: &str, chinese: &str) -> Vec<String> {
    let pages = (Page::parse("docs/en.md", english), Page::parse("docs/zh.md", chinese));
    let links = Links { pages: vec![pages] };
    let (english, chinese) = &links.pages[0];
    Pair { english, chinese, links: &links }.differences()
}

#[test]
fn pages_that_say_the_same_do_not_differ() {
    assert_eq!(between(ENGLISH, CHINESE), Vec::<String>::new());
}

#[test]
fn what_is_in_one_page_alone_is_named_with_its_line() {
    let setting = "| `a.c`";
    // What is put in the place of what, in which page, and what the difference must tell.
    let table: &[(bool, &str, &str, &[&str])] = &[
        (true, setting, "| `a.new` | text | – |\n| `a.c`", &["`a.new`", "docs/en.md:8"]),
        (true, "doubt |", "doubt or wait |", &["“wait”", "docs/zh.md:7"]),
        (true, "to 1h", "to 2h", &["lacks the number or name 2h", "docs/zh.md:8"]),
        (true, "## Two", "## More\n\n## Two", &["docs/en.md has 3 headings", "## More"]),
        (true, "#two", "#three", &["(#three) leads nowhere", "docs/en.md:3"]),
        (true, "(../README.md)", "(../none.md)", &["leads nowhere"]),
        (true, "- `STOP`\n", "- `STOP`\n- `MORE`\n", &["Point, Point, Point", "lacks code MORE"]),
        (true, "`STOP`\n", "`STOP`, see [it](#settings)\n", &["the link #设置"]),
        (false, "- `RETRY`：", "- ", &["docs/zh.md:12 lacks code RETRY"]),
        (false, "E22", "E19", &["lacks the number or name E22", "has the number or name E19"]),
        (false, "--this 1", "--this 2", &["docs/zh.md:15", "do --this 1 NUMBER", "docs/zh.md:16"]),
        (false, "    # 立即", "", &["docs/zh.md:16"]),
        (false, "`doubt` |\n", "– |\n", &["docs/zh.md:7 lacks code doubt"]),
        (
            true,
            "refused or doubt",
            "a duration from 10ms to 1h",
            &["“时长，10ms 至 1h” stands for"],
        ),
        (false, "| `a.c` | 时长，10ms 至 1h | `5s` |\n", "", &["lacks the row `a.c`"]),
        (false, "(#第二节)", "(#设置)", &["lacks the link #第二节"]),
        (false, "(../README.md)", "(../README.zh-CN.md)", &["lacks the link ../README.md"]),
    ];
    for (in_english, from, to, tells) in table {
        let edited = |text: &str| {
            assert!(text.contains(from), "{from} in {text}");
            text.replacen(from, to, 1)
        };
        let found = match in_english {
            true => between(&edited(ENGLISH), CHINESE),
            false => between(ENGLISH, &edited(CHINESE)),
        };
        let all = found.join("\n");
        assert!(!found.is_empty(), "{from} to {to}: no difference");
        for told in *tells {
            assert!(all.contains(told), "{from} to {to}: {told:?} in\n{all}");
        }
    }
}

#[test]
fn faults_of_typesetting_are_told() {
    let faults = |text: &str| super::typesetting::faults(&Page::parse("p", text)).len();
    for fine in
        ["看 `a`，再 RETRY。", "**先问**。再做", "- **`a`、`b`**。好", "见[它](a.md)（英文）"]
    {
        assert_eq!(faults(fine), 0, "{fine}");
    }
    for odd in ["看`a`", "看a", "看,", "看（ a）", "看。.", "**先问。**再做", "上\n下", "看**它"]
    {
        assert!(faults(odd) > 0, "{odd}");
    }
}
