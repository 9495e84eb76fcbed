-- Indexes that others cover: each costs a page with every refund that is claimed. An original, or a
-- payment's number, is of few refunds, so what is looked for with its app_id or kind is found by it alone.
-- This text runs on SQLite and on PostgreSQL.
DROP INDEX refunds_of_original;
DROP INDEX refunds_of_asked_platform_id;
DROP INDEX refunds_of_payment_order_id;
DROP INDEX refunds_of_payment_mis_id;
