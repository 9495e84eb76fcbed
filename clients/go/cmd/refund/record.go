package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "github.com/sunmi-trade/sunmi-trade/clients/go/sunmi/trade/v1"
)

// Outcome is what is known of a refund.
type Outcome string

const (
	// Pending: the money may have moved, or may yet.
	Pending Outcome = "PENDING"
	// Done: the money was refunded.
	Done Outcome = "DONE"
	// Declined: no money moved.
	Declined Outcome = "DECLINED"
)

// Record is a refund as the store has it: FOLDER/NUMBER.json. It is there before the first call.
type Record struct {
	Outcome Outcome
	Request *pb.RefundRequest
	file    string
	lock    *os.File
}

// ErrBusy says that another process works on the refund.
var ErrBusy = errors.New("another process works on it")

// Store is a folder of records.
type Store string

// Lock opens the record of a number for this process alone: of two that work on one refund, the
// one told "no money moved" could note that while the other sends it again. The lock ends with
// the process, however that ends. The record is nil where the store has none yet.
func (s Store) Lock(number string) (*Record, error) {
	if err := s.create(); err != nil {
		return nil, err
	}
	r := &Record{file: filepath.Join(string(s), escape(number)+".json")}
	var err error
	if r.lock, err = os.OpenFile(strings.TrimSuffix(r.file, ".json")+".lock", os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(r.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		r.Unlock()
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	if err := r.read(number); err != nil {
		r.Unlock()
		return nil, err
	}
	return r, nil
}

// create makes the folder, durably, too.
func (s Store) create() error {
	missing, err := filepath.Abs(string(s))
	if err != nil {
		return err
	}
	var parents []string
	for ; ; missing = filepath.Dir(missing) {
		if _, err := os.Stat(missing); !os.IsNotExist(err) {
			break
		}
		parents = append(parents, filepath.Dir(missing))
	}
	if err := os.MkdirAll(string(s), 0o700); err != nil {
		return err
	}
	for _, parent := range parents {
		if err := sync(parent); err != nil {
			return err
		}
	}
	return nil
}

// Unlock lets other processes work on the record.
func (r *Record) Unlock() { r.lock.Close() }

// Numbers are the refunds that the store has a record of, in alphabetical order.
func (s Store) Numbers() ([]string, error) {
	entries, err := os.ReadDir(string(s))
	var numbers []string
	for _, entry := range entries {
		if name, isRecord := strings.CutSuffix(entry.Name(), ".json"); isRecord {
			number, err := url.PathUnescape(name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", entry.Name(), err)
			}
			numbers = append(numbers, number)
		}
	}
	return numbers, err
}

// read leaves Request nil where there is no record. One that is damaged is an error: taken for
// absent, its refund would be forgotten.
func (r *Record) read(number string) error {
	data, err := os.ReadFile(r.file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept struct {
		Outcome Outcome
		Request json.RawMessage
	}
	if err := json.Unmarshal(data, &kept); err != nil {
		return fmt.Errorf("%s: %w", r.file, err)
	}
	request := &pb.RefundRequest{}
	// A field that another program's newer contract wrote is content, too: not to be left out.
	if err := protojson.Unmarshal(kept.Request, request); err != nil {
		return fmt.Errorf("%s: %w", r.file, err)
	}
	known := kept.Outcome == Pending || kept.Outcome == Done || kept.Outcome == Declined
	if !known || request.OrderId != number {
		return fmt.Errorf("%s: is %q of %q", r.file, kept.Outcome, request.OrderId)
	}
	r.Outcome, r.Request = kept.Outcome, request
	return nil
}

// Save returns once the record is on the disk, whole, also if the power fails then.
func (r *Record) Save() error {
	request, err := protojson.Marshal(r.Request)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(map[string]any{"outcome": r.Outcome, "request": json.RawMessage(request)}, "", "  ")
	if err != nil {
		return err
	}
	temporary := r.file + ".tmp"
	if err := write(temporary, append(data, '\n')); err != nil {
		return err
	}
	if err := os.Rename(temporary, r.file); err != nil {
		return err
	}
	return sync(filepath.Dir(r.file))
}

func sync(folder string) error {
	opened, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer opened.Close()
	return opened.Sync()
}

func write(name string, data []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// SameContent says whether two requests are one refund: by what the server binds a number to.
func SameContent(a, b *pb.RefundRequest) bool {
	return proto.Equal(content(a), content(b))
}

func content(r *pb.RefundRequest) *pb.RefundRequest {
	c := proto.CloneOf(r)
	c.AcknowledgedOpenOrderIds, c.Operator, c.Reason = nil, "", ""
	return c
}

// escape is RFC 3986's percent-encoding of all but [A-Za-z0-9_-]: a number may be "../x".
func escape(number string) string {
	var name strings.Builder
	for _, b := range []byte(number) {
		if strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", b) >= 0 {
			name.WriteByte(b)
		} else {
			fmt.Fprintf(&name, "%%%02X", b)
		}
	}
	return name.String()
}
