-- One row for each refund that was ever claimed. Times are milliseconds since 1970 by the
-- database's own clock. This text runs on SQLite and on PostgreSQL.
CREATE TABLE refunds (
    app_id        TEXT   NOT NULL,
    order_id      TEXT   NOT NULL,
    msn           TEXT   NOT NULL,
    -- Absent once retention has emptied the row.
    amount        BIGINT,
    original_kind TEXT   NOT NULL,
    original      TEXT   NOT NULL,
    business_id   TEXT   NOT NULL,
    -- claimed, in_doubt, processing, settled, not_applied
    state         TEXT   NOT NULL,
    -- Raised by every claim; a negative judgement is written only over the epoch it is of.
    epoch         BIGINT NOT NULL,
    -- Until then the claim's owner may send.
    lease_until   BIGINT NOT NULL,
    -- When settled: SUCCEEDED or FAILED.
    outcome       TEXT,
    -- The recorded answer, as JSON.
    answer        TEXT,
    claimed_at    BIGINT NOT NULL,
    changed_at    BIGINT NOT NULL,
    -- When the resolver looks at it next, and how often it has.
    look_at       BIGINT NOT NULL,
    looks         BIGINT NOT NULL,
    -- The person who decided it, if one did, and why.
    decided_by    TEXT,
    decided_why   TEXT,
    PRIMARY KEY (app_id, order_id)
);

CREATE INDEX refunds_due ON refunds (look_at)
    WHERE state IN ('claimed', 'in_doubt', 'processing');

CREATE INDEX refunds_of_original ON refunds (app_id, original_kind, original);

CREATE TABLE ledger_facts (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
