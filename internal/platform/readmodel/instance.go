// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package readmodel

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/delivery"
)

// columns of a row, in the order of scan.
const columns = `seat, namespace, application, component, ip, dcn, datacenter, zone, rack, host, cluster, pool, revision,
  state, restarts, created, simulated, uid, pod, image, ready, message, podnamespace`

type scanner interface{ Scan(dest ...any) error }

func scan(row scanner) (delivery.Instance, error) {
	i, created := delivery.Instance{}, ""
	err := row.Scan(&i.Seat, &i.Namespace, &i.Application, &i.Component, &i.IP, &i.DCN, &i.DataCenter, &i.Zone, &i.Rack, &i.Host,
		&i.Cluster, &i.Pool, &i.Revision, &i.State, &i.Restarts, &created, &i.Simulated, &i.UID, &i.Pod, &i.Image, &i.Ready, &i.Message, &i.PodNamespace)
	if err != nil {
		return i, err
	}
	i.CreatedAt, err = time.Parse(time.RFC3339, created)
	return i, err
}

// seatNumber is the number at the end of a seat; -1 where it has none.
func seatNumber(seat string) int64 {
	n, err := strconv.ParseInt(seat[strings.LastIndexByte(seat, '-')+1:], 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

const upsert = `INSERT INTO instances (seat, namespace, application, component, ip, dcn, datacenter, zone, rack, host, cluster, pool, revision,
  state, restarts, created, simulated, uid, pod, image, ready, number, message, podnamespace) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (cluster, uid) DO UPDATE SET seat=excluded.seat, namespace=excluded.namespace, application=excluded.application,
  component=excluded.component, ip=excluded.ip, dcn=excluded.dcn, datacenter=excluded.datacenter, zone=excluded.zone, rack=excluded.rack,
  host=excluded.host, pool=excluded.pool, revision=excluded.revision, state=excluded.state, restarts=excluded.restarts,
  created=excluded.created, simulated=excluded.simulated, pod=excluded.pod, image=excluded.image, ready=excluded.ready, number=excluded.number,
  message=excluded.message, podnamespace=excluded.podnamespace`

func insert(ctx context.Context, tx *sql.Tx, i delivery.Instance) error {
	_, err := tx.ExecContext(ctx, upsert, i.Seat, i.Namespace, i.Application, i.Component, i.IP, i.DCN, i.DataCenter, i.Zone, i.Rack, i.Host,
		i.Cluster, i.Pool, i.Revision, i.State, i.Restarts, i.CreatedAt.UTC().Format(time.RFC3339), i.Simulated, i.UID, i.Pod, i.Image, i.Ready, seatNumber(i.Seat), i.Message, i.PodNamespace)
	return err
}

// Replace makes the instances the only ones of the cluster: what a complete list
// of the member shows.
func (s *Store) Replace(ctx context.Context, cluster string, instances []delivery.Instance) error {
	touched := map[Change]bool{}
	err := s.transact(ctx, func(tx *sql.Tx) error {
		if err := applications(ctx, tx, cluster, touched); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM instances WHERE cluster = ?`, cluster); err != nil {
			return err
		}
		for _, i := range instances {
			i.Cluster = cluster
			if err := insert(ctx, tx, i); err != nil {
				return err
			}
			touched[Change{Namespace: i.Namespace, Application: i.Application}] = true
		}
		return s.seen(ctx, tx, cluster)
	})
	if err != nil {
		return fmt.Errorf("could not replace the instances of cluster %q: %w", cluster, err)
	}
	changes := make([]Change, 0, len(touched))
	for c := range touched {
		changes = append(changes, c)
	}
	s.tell(changes)
	return nil
}

func applications(ctx context.Context, tx *sql.Tx, cluster string, into map[Change]bool) error {
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT namespace, application FROM instances WHERE cluster = ?`, cluster)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // only read
	for rows.Next() {
		c := Change{}
		if err := rows.Scan(&c.Namespace, &c.Application); err != nil {
			return err
		}
		into[c] = true
	}
	return rows.Err()
}

// Upsert adds or changes instances of a cluster.
func (s *Store) Upsert(ctx context.Context, cluster string, instances ...delivery.Instance) error {
	changes := make([]Change, 0, len(instances))
	err := s.transact(ctx, func(tx *sql.Tx) error {
		for _, i := range instances {
			i.Cluster = cluster
			if err := insert(ctx, tx, i); err != nil {
				return err
			}
			changes = append(changes, Change{Namespace: i.Namespace, Application: i.Application, Seat: i.Seat})
		}
		return s.seen(ctx, tx, cluster)
	})
	if err != nil {
		return fmt.Errorf("could not write instances of cluster %q: %w", cluster, err)
	}
	s.tell(changes)
	return nil
}

// Remove takes instances out by the UIDs of their pods.
func (s *Store) Remove(ctx context.Context, cluster string, uids ...string) error {
	var changes []Change
	err := s.transact(ctx, func(tx *sql.Tx) error {
		for _, uid := range uids {
			c := Change{}
			err := tx.QueryRowContext(ctx, `DELETE FROM instances WHERE cluster = ? AND uid = ? RETURNING namespace, application, seat`, cluster, uid).
				Scan(&c.Namespace, &c.Application, &c.Seat)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			changes = append(changes, c)
		}
		return s.seen(ctx, tx, cluster)
	})
	if err != nil {
		return fmt.Errorf("could not remove instances of cluster %q: %w", cluster, err)
	}
	s.tell(changes)
	return nil
}

// Forget drops everything of a cluster that has left the fleet.
func (s *Store) Forget(ctx context.Context, cluster string) error {
	if err := s.Replace(ctx, cluster, nil); err != nil {
		return err
	}
	_, err := s.writer.ExecContext(ctx, `DELETE FROM members WHERE cluster = ?`, cluster)
	return err
}

func (s *Store) seen(ctx context.Context, tx *sql.Tx, cluster string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO members (cluster, seen) VALUES (?, ?) ON CONFLICT (cluster) DO UPDATE SET seen = excluded.seen`,
		cluster, s.now().UTC().Format(time.RFC3339))
	return err
}

// Touch notes that clusters answer although nothing has changed in them.
func (s *Store) Touch(ctx context.Context, clusters ...string) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		for _, cluster := range clusters {
			if err := s.seen(ctx, tx, cluster); err != nil {
				return fmt.Errorf("could not note that cluster %q answers: %w", cluster, err)
			}
		}
		return nil
	})
}

// Clusters lists the clusters that have ever reported.
func (s *Store) Clusters(ctx context.Context) ([]string, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT cluster FROM members ORDER BY cluster`)
	if err != nil {
		return nil, fmt.Errorf("could not list the clusters of instances: %w", err)
	}
	defer rows.Close() //nolint:errcheck // only read
	var names []string
	for rows.Next() {
		name := ""
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("could not list the clusters of instances: %w", err)
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// LastSeen says when a cluster last reported its instances. Zero: never.
func (s *Store) LastSeen(ctx context.Context, cluster string) (time.Time, error) {
	text := ""
	err := s.reader.QueryRowContext(ctx, `SELECT seen FROM members WHERE cluster = ?`, cluster).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("could not read when cluster %q was last seen: %w", cluster, err)
	}
	return time.Parse(time.RFC3339, text)
}

func (s *Store) transact(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
