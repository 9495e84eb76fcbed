package com.sunmi.trade.example.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.JsonParser;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import com.sunmi.trade.v1.ErrorReason;
import com.sunmi.trade.v1.QueryResponse;
import com.sunmi.trade.v1.TradeError;
import com.sunmi.trade.v1.TradeState;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExpectationTest {
  private static final QueryResponse RESPONSE =
      QueryResponse.newBuilder()
          .setAmountMinor((1L << 53) + 1)
          .setState(TradeState.TRADE_STATE_SUCCEEDED)
          .build();

  private static StatusRuntimeException failure() {
    TradeError error =
        TradeError.newBuilder()
            .setReason(ErrorReason.ERROR_REASON_SYSTEM_ERROR)
            .setSunmiCode("S03")
            .build();
    BadRequest.Builder invalid = BadRequest.newBuilder();
    invalid.addFieldViolationsBuilder().setField("b");
    invalid.addFieldViolationsBuilder().setField("a");
    Status.Builder status = Status.newBuilder().setCode(14).addDetails(Any.pack(error));
    status.addDetails(Any.pack(ErrorInfo.newBuilder().putMetadata("attempts", "3").build()));
    return StatusProto.toStatusRuntimeException(status.addDetails(Any.pack(invalid.build())).build());
  }

  private static Expectation read(String json) {
    return Expectation.of(JsonParser.parseString(json.replace('\'', '"')).getAsJsonObject());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'status': 'OK', 'error': null, 'retry': false, 'violations': []}",
        "{'status': 'OK', 'response': {'amountMinor': '9007199254740993', 'misId': null}}",
        "{'status': 'OK', 'response': {'orderType': 'ORDER_TYPE_UNSPECIFIED', 'unrecognized': {}}}",
      })
  void aResponseIsAsExpected(String expect) throws InvalidProtocolBufferException {
    assertEquals(List.of(), read(expect).problemsOf(RESPONSE));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{'status': 'UNAVAILABLE'}",
        "{'status': 'OK', 'response': {'amountMinor': '9007199254740992'}}",
        "{'status': 'OK', 'response': {'amountMinor': null}}",
        "{'status': 'OK', 'response': {'unrecognized': {'x': '1'}}}",
        "{'status': 'OK', 'error': {}}",
        "{'status': 'OK', 'metadata': {'attempts': '3'}}",
        "{'status': 'OK', 'localized': true}",
      })
  void aResponseIsNotAsExpected(String expect) throws InvalidProtocolBufferException {
    assertEquals(1, read(expect).problemsOf(RESPONSE).size());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'status': 'UNAVAILABLE', 'error': {'sunmiCode': 'S03', 'sunmiMessage': null}}",
        "{'status': 'UNAVAILABLE', 'error': {'refundOutcome': 'REFUND_OUTCOME_UNSPECIFIED'}}",
        "{'status': 'UNAVAILABLE', 'metadata': {'attempts': '3', 'httpStatus': null}}",
        "{'status': 'UNAVAILABLE', 'violations': ['a', 'b'], 'retry': false, 'localized': false}",
      })
  void anErrorIsAsExpected(String expect) throws InvalidProtocolBufferException {
    assertEquals(List.of(), read(expect).problemsOf(failure()));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'status': 'UNKNOWN'}",
        "{'status': 'UNAVAILABLE', 'error': null}",
        "{'status': 'UNAVAILABLE', 'error': {'sunmiCode': null}}",
        "{'status': 'UNAVAILABLE', 'response': {}}",
        "{'status': 'UNAVAILABLE', 'metadata': {'attempts': '2'}}",
        "{'status': 'UNAVAILABLE', 'violations': ['a']}",
        "{'status': 'UNAVAILABLE', 'violations': []}",
        "{'status': 'UNAVAILABLE', 'retry': true}",
        "{'status': 'UNAVAILABLE', 'retry_at_least_ms': 1}",
        "{'status': 'UNAVAILABLE', 'localized': true}",
      })
  void anErrorIsNotAsExpected(String expect) throws InvalidProtocolBufferException {
    // The problem, and what the error says.
    assertEquals(2, read(expect).problemsOf(failure()).size());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'name': 'a', 'stpes': []}",
        "{'name': 'a', 'steps': [{'concurrently_with': 1, 'expect': {}}]}",
        "{'name': 'a', 'steps': [{'expect': {'stauts': 'OK'}}]}",
      })
  void noWordOfACaseIsOverlooked(String json) {
    String source = json.replace('\'', '"');
    assertThrows(
        IllegalArgumentException.class, () -> Case.read(JsonParser.parseString(source)));
  }
}
