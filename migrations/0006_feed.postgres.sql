-- The transaction that wrote the row. Whoever watches reads what is older than every transaction
-- that has not ended, so nothing can appear before a place that was read already. A trigger,
-- because a replica of an earlier version, or a person, writes the row without knowing of this.
CREATE FUNCTION refunds_feed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.feed := CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT);
    RETURN NEW;
END
$$;

CREATE TRIGGER refunds_feed_claim BEFORE INSERT ON refunds
    FOR EACH ROW EXECUTE FUNCTION refunds_feed();

CREATE TRIGGER refunds_feed_change BEFORE UPDATE ON refunds
    FOR EACH ROW WHEN (
        OLD.change IS DISTINCT FROM NEW.change OR OLD.state IS DISTINCT FROM NEW.state
        OR OLD.person IS DISTINCT FROM NEW.person OR OLD.disputed IS DISTINCT FROM NEW.disputed)
    EXECUTE FUNCTION refunds_feed();
