-- The bucket of a text, as ordergap.hashing has it, of text that is in Unicode's form NFC: MariaDB
-- has no function that composes a letter and its accent. For MariaDB from 10.11:
--
--     SELECT hash_bucket('product', StockCode, 32) FROM orders;
--
-- It takes a number for the text that MariaDB writes of it, so give it columns of text alone.

CREATE OR REPLACE FUNCTION hash_bucket(
  field TEXT CHARACTER SET utf8mb4, value LONGTEXT CHARACTER SET utf8mb4, buckets INT
) RETURNS INT DETERMINISTIC NO SQL
BEGIN
  -- What has the property White_Space in Unicode.
  DECLARE around VARCHAR(200) CHARACTER SET utf8mb4 DEFAULT
    '[\\x09-\\x0D\\x20\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}]+';
  DECLARE content LONGTEXT CHARACTER SET utf8mb4 DEFAULT
    REGEXP_REPLACE(value, CONCAT('\\A', around, '|', around, '\\z'), '');
  IF COALESCE(field, '') = '' OR LOCATE(CHAR(31), field) > 0 THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a field needs a name without U+001F';
  END IF;
  IF COALESCE(buckets, 0) < 1 THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'buckets must be 1 to 2147483647';
  END IF;
  IF COALESCE(CHAR_LENGTH(content), 0) = 0 THEN -- '' = ' ' where comparisons pad
    RETURN buckets;
  END IF;
  SET content = SHA2(CONCAT(field, CHAR(31 USING utf8mb4), content), 256);
  RETURN MOD(CAST(CONV(LEFT(content, 16), 16, 10) AS UNSIGNED), buckets);
END
