-- A number of a sequence: SQLite has one writer at a time, so numbers come in the order of
-- commits. A trigger, because a person may write the row without knowing of this.
CREATE TRIGGER refunds_feed_claim AFTER INSERT ON refunds BEGIN
    UPDATE refunds SET feed = (SELECT MAX(feed) + 1 FROM refunds)
        WHERE app_id = NEW.app_id AND order_id = NEW.order_id;
END;

CREATE TRIGGER refunds_feed_change AFTER UPDATE OF change, state, person, disputed ON refunds
WHEN OLD.change IS NOT NEW.change OR OLD.state IS NOT NEW.state
    OR OLD.person IS NOT NEW.person OR OLD.disputed IS NOT NEW.disputed
BEGIN
    UPDATE refunds SET feed = (SELECT MAX(feed) + 1 FROM refunds)
        WHERE app_id = NEW.app_id AND order_id = NEW.order_id;
END;
