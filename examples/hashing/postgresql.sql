-- The bucket of a text, as ordergap.hashing has it. For PostgreSQL from 13 whose database is UTF8,
-- without extensions:
--
--     SELECT hash_bucket('product', "StockCode", 32) FROM orders;
--
-- It takes text alone: a column of numbers is refused, because its text is not that of the source.

CREATE OR REPLACE FUNCTION hash_bucket(field text, value text, buckets integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  -- What has the property White_Space in Unicode.
  white_space CONSTANT text := E'\t\n\x0B\f\r \u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005'
    '\u2006\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000';
  content text := normalize(btrim(value, white_space), NFC);
  digest bytea;
  remainder bigint := 0;
BEGIN
  IF field IS NULL OR field = '' OR strpos(field, E'\x1F') > 0 THEN
    RAISE EXCEPTION 'a field needs a name without U+001F';
  END IF;
  IF buckets IS NULL OR buckets < 1 THEN
    RAISE EXCEPTION 'buckets must be 1 to 2147483647';
  END IF;
  IF content IS NULL OR content = '' THEN
    RETURN buckets;
  END IF;
  digest := sha256(convert_to(field || E'\x1F' || content, 'UTF8'));
  FOR place IN 0..7 LOOP -- 8 bytes are more than a bigint without a sign has
    remainder := (remainder * 256 + get_byte(digest, place)) % buckets;
  END LOOP;
  RETURN remainder;
END $$;
