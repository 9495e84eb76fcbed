-- Where the row stands among all that changed, for those who watch; 0 in a row that has not
-- changed since this column came. How it is set differs by database: see 0006.
-- This text runs on SQLite and on PostgreSQL.
ALTER TABLE refunds ADD COLUMN feed BIGINT NOT NULL DEFAULT 0;
CREATE INDEX refunds_by_feed ON refunds (feed, app_id, order_id);

-- For those who list: newest first, and by what they may ask for.
CREATE INDEX refunds_by_claim ON refunds (claimed_at, app_id, order_id);
CREATE INDEX refunds_open_by_claim ON refunds (claimed_at, app_id, order_id)
    WHERE state IN ('claimed', 'in_doubt', 'processing');
CREATE INDEX refunds_by_changed_at ON refunds (changed_at);
CREATE INDEX refunds_of_business ON refunds (business_id, claimed_at);
CREATE INDEX refunds_of_caller ON refunds (caller, claimed_at);
CREATE INDEX refunds_of_asked ON refunds (original);
CREATE INDEX refunds_of_any_order_id ON refunds (payment_order_id);
CREATE INDEX refunds_of_any_mis_id ON refunds (payment_mis_id);

-- To count the refunds at rest in each state without reading them. The condition is one that only
-- the counting has: SQLite, which knows no statistics, would else find other rows by their state
-- where it should find them by time.
CREATE INDEX refunds_at_rest ON refunds (state)
    WHERE state NOT IN ('claimed', 'in_doubt', 'processing');
