-- To count the refunds at rest in each state without reading them. The condition is one that only
-- the counting has: SQLite, which knows no statistics, would else find other rows by their state
-- where it should find them by time. This text runs on SQLite and on PostgreSQL.
CREATE INDEX refunds_at_rest ON refunds (state)
    WHERE state NOT IN ('claimed', 'in_doubt', 'processing');
