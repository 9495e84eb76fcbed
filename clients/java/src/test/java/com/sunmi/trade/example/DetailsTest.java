package com.sunmi.trade.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import com.sunmi.trade.v1.ErrorReason;
import com.sunmi.trade.v1.TradeError;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import org.junit.jupiter.api.Test;

class DetailsTest {
  private static final Metadata.Key<byte[]> TRAILER =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  @Test
  void aReasonOfANewerServerHasANumberForAName() {
    assertEquals("ERROR_REASON_99", Details.name(ErrorReason.getDescriptor(), 99));
    assertEquals("ERROR_REASON_SYSTEM_ERROR", Details.name(ErrorReason.getDescriptor(), 22));
    TradeError newer = TradeError.newBuilder().setReasonValue(99).setNextStepValue(99).build();
    Status status = Status.newBuilder().setCode(2).addDetails(Any.pack(newer)).build();
    Details details = Details.of(StatusProto.toStatusRuntimeException(status));
    assertTrue(details.toString().startsWith("UNKNOWN, ERROR_REASON_99, "), details.toString());
  }

  @Test
  void aTrailerThatCannotBeReadIsNoTradeError() {
    Metadata trailers = new Metadata();
    trailers.put(TRAILER, new byte[] {(byte) 0xff, 1, 2});
    assertNull(Details.of(io.grpc.Status.UNKNOWN.asRuntimeException(trailers)).trade());
    assertNull(Details.of(io.grpc.Status.UNKNOWN.asRuntimeException()).trade());
  }

  @Test
  void theDetailsOfAnotherStatusAreNone() {
    Status status = Status.newBuilder().setCode(9).addDetails(Any.pack(error())).build();
    Metadata trailers = new Metadata();
    trailers.put(TRAILER, status.toByteArray());
    assertNull(Details.of(io.grpc.Status.UNAVAILABLE.asRuntimeException(trailers)).trade());
    StatusRuntimeException same = io.grpc.Status.FAILED_PRECONDITION.asRuntimeException(trailers);
    assertNotNull(Details.of(same).trade());
  }

  @Test
  void oneDetailThatCannotBeReadHidesNoOther() {
    Any broken =
        Any.pack(error()).toBuilder().setValue(ByteString.copyFrom(new byte[] {(byte) 0xff})).build();
    RetryInfo retry =
        RetryInfo.newBuilder().setRetryDelay(Duration.newBuilder().setSeconds(2)).build();
    ErrorInfo info = ErrorInfo.newBuilder().putMetadata("openOrderId", "R-8").build();
    Status status =
        Status.newBuilder()
            .setCode(9)
            .addDetails(broken)
            .addDetails(Any.pack(retry))
            .addDetails(Any.pack(info))
            .build();
    Details details = Details.of(StatusProto.toStatusRuntimeException(status));
    assertNull(details.trade());
    assertEquals(2, details.waitFor().toSeconds());
    assertEquals("R-8", details.openOrderId());
  }

  private static TradeError error() {
    return TradeError.newBuilder().setReason(ErrorReason.ERROR_REASON_SYSTEM_ERROR).build();
  }
}
