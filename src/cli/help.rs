//! What stands below the options in each `--help`.

pub(super) const MAIN: &str = "\
To try it without an account: sunmi-trade serve --sandbox
To run it: set SUNMI_TRADE_APP_ID, SUNMI_TRADE_APP_KEY and SUNMI_TRADE__REFUND__LEDGER,
  then sunmi-trade serve
To understand an error: sunmi-trade explain E22
Logs go to standard error; RUST_LOG=debug shows more
Exit status: 0 done, 1 failed, 64 wrong usage or configuration";

pub(super) const SERVE: &str = "\
Example:
  SUNMI_TRADE_APP_ID=... SUNMI_TRADE_APP_KEY=... \\
    SUNMI_TRADE__REFUND__LEDGER=sqlite:///var/lib/sunmi-trade/ledger.db sunmi-trade serve
A setting named section.key is SUNMI_TRADE__SECTION__KEY in the environment:
  SUNMI_TRADE__UPSTREAM__ENVIRONMENT=test sunmi-trade serve
Every setting with its default: sunmi-trade check-config --sandbox
SIGTERM and SIGINT drain the server; a second one ends it at once.";

pub(super) const SANDBOX: &str = "\
Example:
  sunmi-trade sandbox --listen 127.0.0.1:8080
  SUNMI_TRADE_APP_ID=sandbox SUNMI_TRADE_APP_KEY=sandbox-key \\
    sunmi-trade serve --upstream-base-url http://127.0.0.1:8080
Have the next refund executed and its answer lost:
  POST /sandbox/faults {\"endpoint\": \"refund\", \"execute\": true, \"answer\": \"reset\"}";

pub(super) const SIGN: &str = "\
Example: SUNMI_TRADE_APP_KEY=... sunmi-trade sign app_id=... msn=... charset=utf8 orderId=...
Compare with what was sent: the same names, raw values before URL encoding, nothing empty.";

pub(super) const CHECK_CONFIG: &str = "\
Example: sunmi-trade check-config --config sunmi-trade.toml";

pub(super) const REFUNDS: &str = "\
The ledger is the one of the configuration, and may be served from meanwhile. It is never made
here. Credentials are needed only where Sunmi is asked: by show, unless --offline, by resolve and
by verify.
Examples:
  sunmi-trade refunds list --needs-person
  sunmi-trade refunds list --state in_doubt,processing --claimed-since 2026-11-25 --json
  sunmi-trade refunds show NUMBER
  sunmi-trade refunds resolve NUMBER
  sunmi-trade refunds settle NUMBER --epoch 1 --succeeded --by NAME --reason TEXT
  sunmi-trade refunds verify NUMBER
  sunmi-trade refunds export --day 2026-11-25 --output refunds.csv
  sunmi-trade refunds reconcile statement.csv --day 2026-11-25 --column-order-id order_no \\
    --column-amount refund_amount --amount-unit yuan";

pub(super) const RECONCILE: &str = "\
Negative amounts are refunds, too: the sign does not count. An amount of 0 is a mistake, and so is
a line without a number. --only-where leaves out what is no refund. Blanks around a cell, and a
backtick before it, as in WeChat Pay's bills, are no part of it.
A refund of the ledger belongs to the period in which Sunmi's answer says it was made, else to that
of its claim. One that the statement has is found by its number, whenever it was claimed.
Example:
  sunmi-trade refunds reconcile bill.csv --day 2026-11-25 --encoding gb18030 \\
    --column-order-id 商户退款单号 --column-amount 退款金额 --amount-unit yuan \\
    --only-where 退款状态=SUCCESS --by NAME
Exit status: 0 all equal, 1 not compared, 3 differences, 64 wrong usage";

pub(super) const HEALTH: &str = "\
Examples:
  sunmi-trade health
  sunmi-trade health --addr trade.example.com:443 --tls
  sunmi-trade health --addr 10.0.0.7:50051 --tls-ca-cert ca.pem --tls-server-name trade.example.com
Exit status: 0 it serves, 1 it does not or cannot be asked, 64 wrong usage or configuration";

pub(super) const EXPLAIN: &str = "\
Examples:
  sunmi-trade explain E22
  sunmi-trade explain REFUND_OUTCOME_UNKNOWN
  sunmi-trade explain";
