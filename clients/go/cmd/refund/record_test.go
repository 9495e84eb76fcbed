package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/sunmi-trade/sunmi-trade/clients/go/sunmi/trade/v1"
)

func request(number string) *pb.RefundRequest {
	return &pb.RefundRequest{
		Msn: "M-1", AmountMinor: 1<<53 + 1, OrderId: number, BusinessId: "B-1",
		Original: &pb.RefundRequest_OriOrderId{OriOrderId: "DEMO-1"},
	}
}

func begin(t *testing.T, store Store, r *pb.RefundRequest) (*Record, bool) {
	t.Helper()
	record, asked, err := store.Begin(r)
	if err != nil {
		t.Fatal(err)
	}
	return record, asked
}

func TestARestartFindsTheRecordOfTheEarlierRun(t *testing.T) {
	store := Store(filepath.Join(t.TempDir(), "new"))
	for _, number := range []string{"R-1", "../x%2F", "a b", "é", "R-1.json"} {
		record, asked := begin(t, store, request(number))
		if asked || record.Outcome != Pending {
			t.Errorf("%q: asked %t, %s", number, asked, record.Outcome)
		}
		record.Unlock()
		record, asked = begin(t, store, request(number))
		if !asked || record.Outcome != Pending || !proto.Equal(record.Request, request(number)) {
			t.Errorf("%q: asked %t, %v", number, asked, record)
		}
		record.Outcome = Done
		if err := record.Save(); err != nil {
			t.Fatal(err)
		}
		record.Unlock()
		if record, _ = begin(t, store, request(number)); record.Outcome != Done {
			t.Errorf("%q: %s", number, record.Outcome)
		}
	}
	numbers, err := store.Numbers()
	if want := []string{"../x%2F", "R-1", "R-1.json", "a b", "é"}; err != nil || !sameElements(numbers, want) {
		t.Errorf("%q, %v", numbers, err)
	}
}

func TestANumberStandsForItsContent(t *testing.T) {
	store := Store(t.TempDir())
	record, _ := begin(t, store, request("R-1"))
	record.Unlock()
	for name, change := range map[string]func(*pb.RefundRequest){
		"amount":   func(r *pb.RefundRequest) { r.AmountMinor++ },
		"msn":      func(r *pb.RefundRequest) { r.Msn = "M-2" },
		"business": func(r *pb.RefundRequest) { r.BusinessId = "B-2" },
		"app":      func(r *pb.RefundRequest) { r.AppId = "A-2" },
		"original": func(r *pb.RefundRequest) { r.Original = &pb.RefundRequest_OriMisId{OriMisId: "DEMO-1"} },
	} {
		other := request("R-1")
		change(other)
		if _, _, err := store.Begin(other); err == nil {
			t.Errorf("another %s was taken for the same refund", name)
		}
	}
}

func TestOpenRefundsMayBeNamedLater(t *testing.T) {
	store := Store(t.TempDir())
	record, _ := begin(t, store, request("R-1"))
	record.Unlock()
	named := request("R-1")
	named.AcknowledgedOpenOrderIds = []string{"R-8"}
	record, _ = begin(t, store, named)
	record.Unlock()
	record, _ = begin(t, store, request("R-1"))
	if !slices.Equal(record.Request.AcknowledgedOpenOrderIds, []string{"R-8"}) {
		t.Errorf("%v", record.Request)
	}
}

func TestADamagedRecordIsNotTakenForNone(t *testing.T) {
	store := Store(t.TempDir())
	for _, text := range []string{
		"", "{}", `{"outcome": "PENDING"}`, `{"outcome": "SETTLED", "request": {"orderId": "R-1"}}`,
		`{"outcome": "DONE", "request": {"orderId": "R-2"}}`, `{"outcome": "PENDING", "request": {"orderId": "R-1", "new": 1}}`,
	} {
		if err := os.WriteFile(filepath.Join(string(store), "R-1.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Lock("R-1"); err == nil {
			t.Errorf("%q was taken for a record, or for none", text)
		}
	}
}

func TestOneProcessWorksOnARefund(t *testing.T) {
	store := Store(t.TempDir())
	record, _ := begin(t, store, request("R-1"))
	if _, err := store.Lock("R-1"); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	record.Unlock()
	if _, err := store.Lock("R-1"); err != nil {
		t.Errorf("%v", err)
	}
}

func TestTheServiceConfigIsTheDocumentedOne(t *testing.T) {
	documented, err := os.ReadFile("../../../../docs/grpc-service-config.json")
	if os.IsNotExist(err) {
		t.Skip("copied out of the repository")
	}
	if err != nil || string(documented) != recommended {
		t.Errorf("service-config.json is not docs/grpc-service-config.json, %v", err)
	}
}

func sameElements(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
