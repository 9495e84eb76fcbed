-- Who, at the caller's, wants the refund, and why: kept, shown and never sent. No part of what
-- was asked. This text runs on SQLite and on PostgreSQL.
ALTER TABLE refunds ADD COLUMN asked_by TEXT;
ALTER TABLE refunds ADD COLUMN asked_why TEXT;
