-- catalog-1.sql: a catalogue of format 1 as libimgret wrote it before format 2 existed. Never edit.
-- Made with the public API: five ready vectors of 8 dimensions, one replaced, one removed.
PRAGMA page_size=8192; PRAGMA application_id=0x49524554; PRAGMA user_version=1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE settings (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO settings VALUES('dimension','8');
INSERT INTO settings VALUES('extractor_identity','vectors;dimension=8');
INSERT INTO settings VALUES('metric','1');
INSERT INTO settings VALUES('model','vectors:8');
INSERT INTO settings VALUES('vector_type','1');
CREATE TABLE images (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uri TEXT UNIQUE,
  state INTEGER NOT NULL CHECK (state IN (1, 2)),
  failure_code INTEGER NOT NULL,
  content_hash BLOB NOT NULL CHECK (length(content_hash) = 16),
  file_bytes INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL,
  added_ms INTEGER NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  format TEXT NOT NULL,
  failure TEXT NOT NULL,
  metadata TEXT
) STRICT;
INSERT INTO images VALUES(1,'/pictures/one.jpg',1,0,X'1791ae98205d4966bd121af8347b92b8',0,0,1795240428204,0,0,'vector','','{"camera": "X100", "rating": 4}');
INSERT INTO images VALUES(2,'/pictures/two.jpg',1,0,X'8652b030d4be79c1c4ef186922dc753f',0,0,1795240428216,0,0,'vector','',NULL);
INSERT INTO images VALUES(3,NULL,1,0,X'70612eab02a8fa7603638d43ff6d4821',0,0,1795240428205,0,0,'vector','','{"camera": "Z6"}');
INSERT INTO images VALUES(5,'/pictures/café.jpg',1,0,X'c6f71dfeb9d7e988067e0df7c23adadb',0,0,1795240428206,0,0,'vector','',NULL);
CREATE TABLE regions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  UNIQUE (image, ordinal)
) STRICT;
INSERT INTO regions VALUES(1,1,0);
INSERT INTO regions VALUES(3,3,0);
INSERT INTO regions VALUES(5,5,0);
INSERT INTO regions VALUES(6,2,0);
CREATE TABLE pending_vectors (
  region INTEGER PRIMARY KEY REFERENCES regions ON DELETE CASCADE,
  vector BLOB NOT NULL
) STRICT;
INSERT INTO pending_vectors VALUES(1,X'003c003d003e003f0040804000418041');
INSERT INTO pending_vectors VALUES(3,X'00428041004180400040003f003e003d');
INSERT INTO pending_vectors VALUES(5,X'0045c044804440440044804300438042');
INSERT INTO pending_vectors VALUES(6,X'0046c045804540450045c04480444044');
CREATE TABLE removed_regions (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  region INTEGER NOT NULL
) STRICT;
INSERT INTO removed_regions VALUES(1,4);
INSERT INTO removed_regions VALUES(2,2);
CREATE TABLE segments (
  id INTEGER PRIMARY KEY,
  first_region INTEGER NOT NULL,
  last_region INTEGER NOT NULL,
  vector_count INTEGER NOT NULL,
  file_bytes INTEGER NOT NULL,
  identity INTEGER NOT NULL
) STRICT;
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('images',5);
INSERT INTO sqlite_sequence VALUES('regions',6);
INSERT INTO sqlite_sequence VALUES('removed_regions',2);
CREATE INDEX images_failed ON images (state) WHERE state = 2;
COMMIT;
