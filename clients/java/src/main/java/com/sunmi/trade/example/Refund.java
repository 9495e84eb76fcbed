package com.sunmi.trade.example;

import com.sunmi.trade.v1.RefundRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Makes a refund, and finds out what became of it: done, declined, or still pending.
 *
 * <pre>
 * Refund --server 127.0.0.1:50051 --store records --number R-1 --original DEMO-1 --amount 100
 * Refund --server 127.0.0.1:50051 --store records --resume
 * </pre>
 */
public final class Refund {
  private static final Set<String> CONTENT =
      Set.of("number", "original", "amount", "msn", "business", "besides");
  private static final int USAGE = 64;
  private static final int BROKEN = 70;

  private final Refunder refunder;
  private final RefundStore store;

  private Refund(Refunder refunder, RefundStore store) {
    this.refunder = refunder;
    this.store = store;
  }

  public static void main(String[] words) {
    try {
      System.exit(run(words));
    } catch (Flags.Wrong | IOException wrong) {
      // The store cannot be read or written, say. Nothing was sent.
      System.err.println("refund: " + wrong);
      System.exit(USAGE);
    } catch (Throwable broken) {
      // The refund is as its record says.
      broken.printStackTrace();
      System.exit(BROKEN);
    }
  }

  private static int run(String[] words) throws Flags.Wrong, InterruptedException, IOException {
    Set<String> names = new HashSet<>(Set.of("store", "patience"));
    names.addAll(CONTENT);
    names.addAll(Access.FLAGS);
    Flags flags = new Flags(words, names, Set.of("resume"));
    boolean resume = flags.has("resume");
    if (resume && CONTENT.stream().anyMatch(flags::has)) {
      throw new Flags.Wrong("--resume goes by the records alone");
    }
    RefundRequest request = resume ? null : request(flags);
    Path folder = Path.of(flags.required("store"));
    long patience = flags.nanos("patience", "60");
    try (Access access = new Access(flags)) {
      Refund refund = new Refund(new Refunder(access, patience), new RefundStore(folder));
      return resume ? refund.resume() : refund.refund(request);
    }
  }

  private static RefundRequest request(Flags flags) throws Flags.Wrong {
    String besides = flags.get("besides", "");
    return RefundRequest.newBuilder()
        // The refund's own number: made once, for this refund alone.
        .setOrderId(flags.required("number"))
        .setOriOrderId(flags.required("original"))
        .setAmountMinor(flags.amount("amount"))
        .setMsn(flags.get("msn", "TL05D91940002"))
        .setBusinessId(flags.get("business", "B-1"))
        // Open refunds of the payment that are wanted as well; no part of the content.
        .addAllAcknowledgedOpenOrderIds(besides.isEmpty() ? List.of() : List.of(besides.split(",")))
        .build();
  }

  private int refund(RefundRequest request)
      throws Flags.Wrong, InterruptedException, IOException {
    try (RefundStore.Record record = store.lock(request.getOrderId())) {
      boolean asked = record.request != null;
      begin(record, request);
      refunder.settle(record, asked);
      return tell(request.getOrderId(), record.outcome);
    } catch (RefundStore.Busy busy) {
      Refunder.log(request.getOrderId(), busy.getMessage());
      return tell(request.getOrderId(), Outcome.PENDING);
    }
  }

  /** Records a refund before anything is sent. After a restart the earlier run's is there. */
  private static void begin(RefundStore.Record record, RefundRequest request)
      throws IOException, Flags.Wrong {
    if (record.request == null) {
      record.request = request;
      record.save();
    } else if (!Answer.content(record.request).equals(Answer.content(request))) {
      throw new Flags.Wrong("the store has " + request.getOrderId() + " with other content");
    } else if (record.outcome == Outcome.PENDING
        && request.getAcknowledgedOpenOrderIdsCount() > 0) {
      // Whoever repeats the refund may have learned of them since.
      record.request =
          record.request.toBuilder()
              .clearAcknowledgedOpenOrderIds()
              .addAllAcknowledgedOpenOrderIds(request.getAcknowledgedOpenOrderIdsList())
              .build();
      record.save();
    }
  }

  /** Works on what earlier runs left pending, one after the other. */
  private int resume() throws InterruptedException, IOException {
    int worst = 0;
    for (String number : store.numbers()) {
      try (RefundStore.Record record = store.lock(number)) {
        if (record.request == null) {
          // Its file has another name than this number's: it is not passed over.
          throw new IOException("no record has the name of " + number);
        }
        if (record.outcome == Outcome.PENDING) {
          refunder.settle(record, true);
          worst = Math.max(worst, tell(number, record.outcome));
        }
      } catch (RefundStore.Busy busy) {
        Refunder.log(number, busy.getMessage());
        worst = Math.max(worst, tell(number, Outcome.PENDING));
      } catch (IOException failed) {
        // Nobody knows what it was: for a person, and not in the way of the others.
        Refunder.log(number, failed.toString());
        worst = Outcome.PENDING.status;
      }
    }
    return worst;
  }

  /** Says how a refund was left, and gives its exit status. */
  private static int tell(String number, Outcome outcome) {
    System.out.println(number + " " + outcome.name().toLowerCase(Locale.ROOT));
    return outcome.status;
  }
}
