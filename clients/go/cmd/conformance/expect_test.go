package main

import (
	"encoding/json"
	"errors"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "github.com/sunmi-trade/sunmi-trade/clients/go/sunmi/trade/v1"
)

func TestAnExpectationHoldsOrDoesNot(t *testing.T) {
	response := Outcome{Response: &pb.QueryResponse{
		AmountMinor: proto.Int64(1<<53 + 1), State: pb.TradeState_TRADE_STATE_SUCCEEDED,
	}}
	s, err := status.New(codes.Unavailable, "").WithDetails(
		&pb.TradeError{Reason: pb.ErrorReason_ERROR_REASON_SYSTEM_ERROR, SunmiCode: proto.String("S03")},
		&errdetails.ErrorInfo{Metadata: map[string]string{"attempts": "3"}},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "b"}, {Field: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	failure := Outcome{Err: s.Err()}
	for text, c := range map[string]struct {
		outcome Outcome
		holds   bool
	}{
		`{"status": "OK"}`:          {response, true},
		`{"status": "UNAVAILABLE"}`: {response, false},
		`{"status": "OK", "response": {"amountMinor": "9007199254740993", "misId": null, "orderType": "ORDER_TYPE_UNSPECIFIED"}}`: {response, true},
		`{"status": "OK", "response": {"amountMinor": "9007199254740992"}}`:                                                       {response, false},
		`{"status": "OK", "response": {"amountMinor": null}}`:                                                                     {response, false},
		`{"status": "OK", "response": {"unrecognized": {}}}`:                                                                      {response, true},
		`{"status": "OK", "response": {"unrecognized": {"x": "1"}}}`:                                                              {response, false},
		`{"status": "OK", "error": null}`:                                                                                         {response, true},
		`{"status": "UNAVAILABLE", "error": null}`:                                                                                {failure, false},
		`{"status": "UNAVAILABLE", "error": {"reason": "ERROR_REASON_SYSTEM_ERROR", "sunmiCode": "S03", "sunmiMessage": null}}`:   {failure, true},
		`{"status": "UNAVAILABLE", "error": {"refundOutcome": "REFUND_OUTCOME_UNSPECIFIED"}}`:                                     {failure, true},
		`{"status": "UNAVAILABLE", "error": {"sunmiCode": null}}`:                                                                 {failure, false},
		`{"status": "UNAVAILABLE", "response": {}}`:                                                                               {failure, false},
		`{"status": "UNAVAILABLE", "metadata": {"attempts": "3"}}`:                                                                {failure, true},
		`{"status": "UNAVAILABLE", "metadata": {"attempts": "2"}}`:                                                                {failure, false},
		`{"status": "UNAVAILABLE", "metadata": {"httpStatus": ""}}`:                                                               {failure, false},
		`{"status": "UNAVAILABLE", "violations": ["a", "b"]}`:                                                                     {failure, true},
		`{"status": "UNAVAILABLE", "violations": ["a"]}`:                                                                          {failure, false},
		`{"status": "UNAVAILABLE", "violations": []}`:                                                                             {failure, false},
		`{"status": "UNAVAILABLE", "retry": false, "localized": false}`:                                                           {failure, true},
		`{"status": "UNAVAILABLE", "retry": true}`:                                                                                {failure, false},
		`{"status": "UNAVAILABLE", "retry_at_least_ms": 1}`:                                                                       {failure, false},
		`{"status": "UNAVAILABLE", "localized": true}`:                                                                            {failure, false},
		`{"status": "UNKNOWN", "error": null}`:                                                                                    {Outcome{Err: errors.New("none of gRPC")}, true},
		`{}`:                                                                                                                      {response, false},
	} {
		var expect Expect
		if err := strict([]byte(text), &expect); err != nil {
			t.Fatal(err)
		}
		if err := expect.Check(c.outcome); (err == nil) != c.holds {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestArraysAreComparedElementByElement(t *testing.T) {
	came := &pb.RefundRequest{AcknowledgedOpenOrderIds: []string{"R-8", "R-9"}}
	for text, holds := range map[string]bool{
		`["R-8", "R-9"]`: true, `["R-8"]`: false, `["R-9", "R-8"]`: false, `[]`: false, `"R-8"`: false,
	} {
		wanted := json.RawMessage(`{"acknowledgedOpenOrderIds": ` + text + `}`)
		if err := message("response", wanted, came); (err == nil) != holds {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestNoWordOfACaseIsOverlooked(t *testing.T) {
	for _, text := range []string{
		`{"name": "a", "stpes": []}`,
		`{"name": "a", "steps": [{"concurrently_with": 1}]}`,
		`{"name": "a", "steps": [{"expect": {"stauts": "OK"}}]}`,
	} {
		if _, err := ReadCase(json.RawMessage(text)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}
