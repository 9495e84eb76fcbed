-- Who asked for the refund, as this server knows callers: for those who look into the ledger.
-- Absent where it is not known. It is no part of what was asked.
ALTER TABLE refunds ADD COLUMN caller TEXT;
