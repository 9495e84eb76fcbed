-- What is known of a refund besides its content. A row of the first edition has no content_hash:
-- little is concluded of it. Flags are 0 or 1. This text runs on SQLite and on PostgreSQL.

-- SHA-256 of the content that the number is bound to; it outlives the content.
ALTER TABLE refunds ADD COLUMN content_hash TEXT;
-- Drawn anew by each claim, so that a claim whose commit is not known can be told from another's.
ALTER TABLE refunds ADD COLUMN claim_id TEXT;
-- The claims of one payment, and all changes of one row, are in the order of these numbers.
ALTER TABLE refunds ADD COLUMN claim_order BIGINT NOT NULL DEFAULT 0;
ALTER TABLE refunds ADD COLUMN change BIGINT NOT NULL DEFAULT 0;
-- When not_applied: whether a caller was told so.
ALTER TABLE refunds ADD COLUMN told BIGINT NOT NULL DEFAULT 0;
-- Whether the number was not there at Sunmi before its first send, and before this claim's.
ALTER TABLE refunds ADD COLUMN free BIGINT NOT NULL DEFAULT 0;
ALTER TABLE refunds ADD COLUMN absent BIGINT NOT NULL DEFAULT 0;
-- Whether Sunmi ever accepted a refund under this number.
ALTER TABLE refunds ADD COLUMN accepted BIGINT NOT NULL DEFAULT 0;
UPDATE refunds SET accepted = 1 WHERE state = 'processing';
-- What the look at the payment before this claim's send showed, as JSON.
ALTER TABLE refunds ADD COLUMN payment_then TEXT;
-- The payment's names, as far as a look found them.
ALTER TABLE refunds ADD COLUMN payment_platform_id TEXT;
ALTER TABLE refunds ADD COLUMN payment_order_id TEXT;
ALTER TABLE refunds ADD COLUMN payment_mis_id TEXT;
-- What Sunmi last said of it, and why it is in doubt, as JSON.
ALTER TABLE refunds ADD COLUMN doubt TEXT;
-- Whether only a person can settle it.
ALTER TABLE refunds ADD COLUMN person BIGINT NOT NULL DEFAULT 0;
-- What Sunmi said that contradicts how it is settled.
ALTER TABLE refunds ADD COLUMN disputed TEXT;

CREATE INDEX refunds_by_change ON refunds (change);
CREATE INDEX refunds_by_number ON refunds (order_id);
CREATE INDEX refunds_of_platform_id ON refunds (payment_platform_id);
CREATE INDEX refunds_of_asked_platform_id ON refunds (original) WHERE original_kind = 'platform_id';
CREATE INDEX refunds_of_payment_order_id ON refunds (app_id, payment_order_id);
CREATE INDEX refunds_of_payment_mis_id ON refunds (app_id, payment_mis_id);
CREATE INDEX refunds_disputed ON refunds (disputed) WHERE disputed IS NOT NULL;
