package com.sunmi.trade.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.sunmi.trade.v1.RefundRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RefundStoreTest {
  @TempDir Path folder;

  @Test
  void aRecordIsReadAsItWasSavedWhateverItsNumber() throws IOException {
    String number = "../R 1+%é";
    RefundStore store = new RefundStore(folder.resolve("new"));
    RefundRequest request =
        RefundRequest.newBuilder().setOrderId(number).setAmountMinor((1L << 53) + 1).build();
    try (RefundStore.Record record = store.lock(number)) {
      assertNull(record.request);
      record.request = request;
      record.outcome = Outcome.DECLINED;
      record.save();
    }
    assertEquals(List.of(number), store.numbers());
    try (RefundStore.Record record = store.lock(number)) {
      assertEquals(request, record.request);
      assertEquals(Outcome.DECLINED, record.outcome);
    }
  }

  @Test
  void aDamagedRecordIsNotTakenForAbsent() throws IOException {
    RefundStore store = new RefundStore(folder);
    for (String text :
        List.of(
            "",
            "{\"outcome\": \"DO",
            "{\"outcome\": \"PENDING\"}",
            "{\"outcome\": \"WHAT\", \"request\": {\"orderId\": \"R-1\"}}",
            "{\"outcome\": \"PENDING\", \"request\": {\"orderId\": \"R-2\"}}",
            "{\"outcome\": \"PENDING\", \"request\": {\"orderId\": \"R-1\", \"newer\": 1}}")) {
      Files.writeString(folder.resolve("R-1.json"), text);
      assertThrows(IOException.class, () -> store.lock("R-1").close(), text);
    }
  }

  @Test
  void aRecordIsOneProcessesAtATime() throws IOException {
    RefundStore store = new RefundStore(folder);
    RefundStore.Record record = store.lock("R-1");
    assertThrows(RefundStore.Busy.class, () -> store.lock("R-1").close());
    record.close();
    store.lock("R-1").close();
  }
}
