CREATE TABLE audit (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL,
    call      uuid        NOT NULL,
    client    text        NOT NULL,
    partner   text        NOT NULL,
    actor     text,
    noun      text        NOT NULL,
    action    text        NOT NULL,
    thing     uuid,
    reference text,
    purpose   text,
    person    bytea       NOT NULL
);
CREATE INDEX audit_person ON audit (person, id);
CREATE INDEX audit_reference ON audit (reference, id) WHERE reference IS NOT NULL;

CREATE FUNCTION audit_expired_before() RETURNS timestamptz LANGUAGE sql AS $$
    SELECT nullif(current_setting('jalons.audit_expired_before', true), '')::timestamptz
$$;
CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND audit_expired_before() IS NOT NULL THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'audit is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();
CREATE FUNCTION audit_line_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.at < audit_expired_before() THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'audit is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_line_stays BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_line_stays();
