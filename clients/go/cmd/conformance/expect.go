package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sunmi-trade/sunmi-trade/clients/go/details"
)

// Check says in what a call is not as expected.
func (e Expect) Check(outcome Outcome) error {
	if e.Status == "" {
		return errors.New("the step expects no status")
	}
	if came := details.Code(status.Code(outcome.Err)); came != e.Status {
		return fmt.Errorf("status %s expected, %s came: %v", e.Status, came, outcome.Err)
	}
	d := details.Of(outcome.Err)
	// What a call failed with has no response, and a response no error.
	if outcome.Err != nil {
		outcome.Response = nil
	}
	return errors.Join(
		message("response", e.Response, outcome.Response),
		message("TradeError", e.Error, d.Trade),
		e.metadata(d), e.retry(d), e.violations(d), e.localized(d),
	)
}

// message: null expects that there is none.
func message(what string, expected json.RawMessage, came proto.Message) error {
	if len(expected) == 0 {
		return nil
	}
	var wanted, got any
	if err := json.Unmarshal(expected, &wanted); err != nil {
		return err
	}
	if came != nil && came.ProtoReflect().IsValid() {
		// What has no presence is there with its default value; what has one only if it was set.
		data, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(came)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &got); err != nil {
			return err
		}
	}
	return contained(what, wanted, got)
}

// contained: objects by key, arrays element by element, all else equal. A null is for what is
// absent.
func contained(path string, wanted, got any) error {
	switch wanted := wanted.(type) {
	case map[string]any:
		object, isObject := got.(map[string]any)
		if !isObject {
			return unlike(path, wanted, got)
		}
		var all error
		for _, key := range slices.Sorted(maps.Keys(wanted)) {
			all = errors.Join(all, contained(path+"."+key, wanted[key], object[key]))
		}
		return all
	case []any:
		array, isArray := got.([]any)
		if !isArray || len(array) != len(wanted) {
			return unlike(path, wanted, got)
		}
		var all error
		for at := range wanted {
			all = errors.Join(all, contained(fmt.Sprintf("%s[%d]", path, at), wanted[at], array[at]))
		}
		return all
	}
	if !reflect.DeepEqual(wanted, got) {
		return unlike(path, wanted, got)
	}
	return nil
}

func (e Expect) metadata(d details.Details) error {
	var all error
	for key, wanted := range e.Metadata {
		if got, there := d.Info.GetMetadata()[key]; !there || got != wanted {
			all = errors.Join(all, unlike("metadata."+key, wanted, got))
		}
	}
	return all
}

func (e Expect) retry(d details.Details) error {
	if e.Retry != nil && *e.Retry != (d.Wait() > 0) {
		return unlike("retry", *e.Retry, d.Retry)
	}
	if least := time.Duration(e.RetryAtLeastMS) * time.Millisecond; d.Wait() < least {
		return unlike("retry_at_least_ms", least, d.Wait())
	}
	return nil
}

func (e Expect) violations(d details.Details) error {
	if e.Violations == nil {
		return nil
	}
	fields := []string{}
	for _, violation := range d.Invalid.GetFieldViolations() {
		fields = append(fields, violation.Field)
	}
	wanted := slices.Sorted(slices.Values(*e.Violations))
	if slices.Sort(fields); !slices.Equal(wanted, fields) {
		return unlike("violations", wanted, fields)
	}
	return nil
}

func (e Expect) localized(d details.Details) error {
	if e.Localized != nil && *e.Localized != (d.Localized != nil) {
		return unlike("localized", *e.Localized, d.Localized)
	}
	return nil
}

func unlike(path string, wanted, got any) error {
	return fmt.Errorf("%s: %s expected, %s came", path, shown(wanted), shown(got))
}

func shown(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}
