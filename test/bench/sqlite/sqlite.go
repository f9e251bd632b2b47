package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// lite is a database with a table of events, as one would make it: rows in the order in which they came, found by time and by stream.
type lite struct {
	db    *sql.DB
	write sync.Mutex // SQLite has one writer at a time; who waits for it here does not poll
	bytes int64      // of lines, guarded by write
}

// database is the name of one, as a connector.
type database string

func (d database) Connect(context.Context) (driver.Conn, error) {
	return new(sqlite.Driver).Open(string(d))
}
func (d database) Driver() driver.Driver { return new(sqlite.Driver) }

func openSQLite(dir string) (store, error) {
	db := sql.OpenDB(database("file:" + filepath.Join(dir, "logs.db") +
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_pragma=cache_size(-65536)&_pragma=mmap_size(1073741824)"))
	_, err := db.Exec(`CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE events (id INTEGER PRIMARY KEY, stream INTEGER, time INTEGER, message TEXT);
CREATE INDEX by_time ON events (time, id);
CREATE INDEX by_stream ON events (stream, time, id)`)
	return &lite{db: db}, err
}

func (l *lite) create(stream string) error {
	_, err := l.db.Exec("INSERT INTO streams (name) VALUES (?)", stream)
	return err
}

func (l *lite) add(stream string, lines []line) error {
	l.write.Lock()
	defer l.write.Unlock()
	tx, err := l.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	var id int64
	if err := tx.QueryRow("SELECT id FROM streams WHERE name = ?", stream).Scan(&id); err != nil {
		return err
	}
	insert, err := tx.Prepare("INSERT INTO events (stream, time, message) VALUES (?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := range lines {
		if _, err := insert.Exec(id, lines[i].time, lines[i].text); err != nil {
			return err
		}
	}
	l.bytes += size(lines)
	return tx.Commit()
}

// search goes through the table and sorts what it finds, which is quicker than going along the index by time.
func (l *lite) search(word string, found func(string)) (int64, error) {
	rows, err := l.db.Query("SELECT message FROM events NOT INDEXED WHERE instr(message, ?) > 0 ORDER BY time, id", word)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return 0, err
		}
		found(text)
	}
	return l.bytes, rows.Err()
}

// follow asks every millisecond: a database does not say that there is more.
func (l *lite) follow(stop <-chan struct{}, seen func(string)) error {
	var last int64
	if err := l.db.QueryRow("SELECT max(id) FROM events").Scan(&last); err != nil {
		return err
	}
	ask, err := l.db.Prepare("SELECT id, message FROM events WHERE id > ? ORDER BY id")
	if err != nil {
		return err
	}
	defer ask.Close()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		rows, err := ask.Query(last)
		if err != nil {
			return err
		}
		for rows.Next() {
			var text string
			if err := rows.Scan(&last, &text); err != nil {
				return err
			}
			seen(text)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-stop:
			return nil
		}
	}
}

func (l *lite) close() error {
	if _, err := l.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return err
	}
	return l.db.Close()
}
