package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Table is clients/conformance/cases.json.
type Table struct {
	Tokens map[string]string
	Cases  []json.RawMessage
}

// Case is one of its cases. Every word of it is known here, or reading it fails: nothing that a
// case expects is overlooked.
type Case struct {
	Name        string
	Why         string
	Orders      []json.RawMessage
	PastRefunds []json.RawMessage `json:"past_refunds"`
	Faults      []json.RawMessage
	Steps       []Step
	Executions  map[string]int
}

// Step is one call, or one that is repeated until it comes out as expected.
type Step struct {
	RPC         string
	As          string
	Request     json.RawMessage
	DeadlineMS  int64 `json:"deadline_ms"`
	RepeatUntil bool  `json:"repeat_until"`
	Expect      Expect
}

// Expect is what a call must come to. What is not named may be anything; null stands for absent.
type Expect struct {
	Status         string
	Response       json.RawMessage
	Error          json.RawMessage
	Metadata       map[string]string
	Retry          *bool
	RetryAtLeastMS int64 `json:"retry_at_least_ms"`
	Violations     *[]string
	Localized      *bool
}

// ReadTable reads the file, and leaves each case for when it is run.
func ReadTable(file string) (*Table, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	table := &Table{}
	if err := strict(data, table); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return table, nil
}

// NameOf is a case's name, also of one that cannot be read.
func NameOf(source json.RawMessage) string {
	var named struct{ Name string }
	_ = json.Unmarshal(source, &named)
	return named.Name
}

// ReadCase gives a case numbers of its own, so that cases and runs are in nobody's way.
func ReadCase(source json.RawMessage) (*Case, error) {
	run := make([]byte, 4)
	rand.Read(run)
	source = bytes.ReplaceAll(source, []byte("${run}"), []byte(hex.EncodeToString(run)))
	c := &Case{}
	if err := strict(source, c); err != nil {
		return nil, err
	}
	return c, nil
}

func strict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("more than one value")
	}
	return nil
}
