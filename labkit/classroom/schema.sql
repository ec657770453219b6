-- The ledger of a class, one SQLite file. docs/instructor.md says who may read what, and how to delete a person.
-- Verdicts are added, never changed: which of them count is asked when a mark is given (labkit/classroom/standing.py).

CREATE TABLE people (           -- the roster, in its file's order
    place    INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,   -- what marks stand under
    name     TEXT NOT NULL,
    ids      TEXT NOT NULL,          -- JSON: what platforms call them, by kind (email, login, sis, lms, github)
    grp      TEXT NOT NULL,
    section  TEXT NOT NULL
);
CREATE TABLE handins (          -- what lay in the folder when it was last graded
    label    TEXT PRIMARY KEY,       -- path below the folder
    person   TEXT NOT NULL,          -- people.id, or the pack's own id; '' where nobody knows
    student  TEXT NOT NULL,          -- the id that its values are made from
    engine   TEXT NOT NULL,
    kit      TEXT NOT NULL,          -- the version that made the pack
    sha256   TEXT NOT NULL,          -- over names and bytes
    at       TEXT NOT NULL,          -- handed in, ISO 8601 in UTC
    by       TEXT NOT NULL,          -- what says so
    trouble  TEXT NOT NULL,          -- '' or why a person must look first
    hint     TEXT NOT NULL,
    notes    TEXT NOT NULL           -- JSON: hints given, minutes, the prose answers: what the pack tells besides
);
CREATE TABLE verdicts (         -- one grading each, as it ended
    id       INTEGER PRIMARY KEY,
    sha256   TEXT NOT NULL,          -- these seven are the key: the same say the same
    student  TEXT NOT NULL,
    engine   TEXT NOT NULL,
    kit      TEXT NOT NULL,          -- the version that judged
    rubric   TEXT NOT NULL,          -- hash of lab.toml's lines
    course   TEXT NOT NULL,          -- hash of what of course.toml verdicts hang on
    key      TEXT NOT NULL,          -- id of the grader key (a hash), never the key
    lines    TEXT NOT NULL,          -- '' for all, or the ids of those that were judged again
    graded   TEXT NOT NULL,
    final    INTEGER NOT NULL,       -- 1 when every line that was asked for has been judged
    result   TEXT NOT NULL           -- JSON: hybrid-lab/result/v1
);
CREATE INDEX verdicts_of ON verdicts (sha256, student);
CREATE TABLE underway (         -- who grades what now, so that two instructors do not both
    work     TEXT PRIMARY KEY,       -- the verdict's key
    who      TEXT NOT NULL,          -- host, process and its start
    until    REAL NOT NULL           -- seconds since 1970; after that it is anybody's
);
CREATE TABLE overrides (        -- a person's word, beside the verdict; the newest of a line counts
    id       INTEGER PRIMARY KEY,
    person   TEXT NOT NULL,
    line     TEXT NOT NULL,
    points   REAL,                   -- NULL takes an earlier one back
    reason   TEXT NOT NULL,
    by       TEXT NOT NULL,
    at       TEXT NOT NULL
);
CREATE TABLE prose (            -- marks for written answers: 0, 1 or 2; the newest of a grader counts
    id       INTEGER PRIMARY KEY,
    person   TEXT NOT NULL,
    question TEXT NOT NULL,
    mark     INTEGER NOT NULL,
    comment  TEXT NOT NULL,
    by       TEXT NOT NULL,
    at       TEXT NOT NULL
);
CREATE TABLE exports (          -- what was given to platforms, to tell what changes
    id       INTEGER PRIMARY KEY,
    format   TEXT NOT NULL,
    at       TEXT NOT NULL,
    marks    TEXT NOT NULL           -- JSON: mark by person
);
