//! `sign`, for whoever looks for the cause of E05.

use super::{file, run};

const KEY: &str = "dd3ac24736589ae17d333e362859bf4c";

/// The vector that Sunmi publishes for its scheme, in an order of its own.
const VECTOR: [&str; 5] =
    ["sign", "timestamp=1589277365", "shop_id=1", "msn=NT1234DF23456", "app_id=sm5b9b4daef3463"];

/// What a text of keys must do.
const KEYS: &str = "must hold one key, or two during rotation, one a line";

const EXPECTED: &str = "\
string to sign: app_id=sm5b9b4daef3463&msn=NT1234DF23456&shop_id=1&timestamp=1589277365<app key>
sign: 946720303FEFF4516626A4431D2753CA
";

#[test]
fn the_published_vector_comes_out_with_the_key_masked() {
    let printed = run(&VECTOR, &[("SUNMI_TRADE_APP_KEY", KEY)]).printed();
    assert_eq!(printed, EXPECTED);
}

#[test]
fn the_key_may_come_from_a_file_which_wins_and_of_two_the_first_signs() {
    let path = file("sign.key", format!("{KEY}\nthe next key\n"));
    let path = path.to_str().unwrap();
    let args = [&VECTOR[..], &["--app-key-file", path]].concat();
    let printed = run(&args, &[("SUNMI_TRADE_APP_KEY", "another")]).printed();
    assert_eq!(printed, EXPECTED);
}

#[test]
fn what_is_not_signed_is_left_out_and_said() {
    let args = [&VECTOR[..], &["sign=OLD", "businessId="]].concat();
    let ran = run(&args, &[("SUNMI_TRADE_APP_KEY", KEY)]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), EXPECTED));
    assert_eq!(
        ran.stderr,
        "sign: never among what is signed\nbusinessId: empty, so neither sent nor signed\n"
    );
}

#[test]
fn without_a_key_there_is_no_signature() {
    let missing = "the app key is missing: set SUNMI_TRADE_APP_KEY or give --app-key-file";
    assert_eq!(run(&VECTOR, &[]).faults(), [missing]);
    assert_eq!(run(&VECTOR, &[("SUNMI_TRADE_APP_KEY", "")]).faults(), [missing]);

    let path = file("empty.key", "\n");
    let args = [&VECTOR[..], &["--app-key-file", path.to_str().unwrap()]].concat();
    let ran = run(&args, &[("SUNMI_TRADE_APP_KEY", KEY)]);
    assert_eq!(ran.faults(), [format!("--app-key-file {}: {KEYS}", path.display())]);
}

#[test]
fn a_key_where_a_parameter_belongs_is_not_shown() {
    let ran = run(&["sign", "msn=1", KEY, "=x"], &[]);
    let faults = ran.faults();
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert_eq!(faults[..2], ["parameter 2: must be NAME=VALUE", "parameter 3: must be NAME=VALUE"]);
    assert!(!ran.stderr.contains(KEY));
}
