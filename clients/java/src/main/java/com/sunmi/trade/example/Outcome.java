package com.sunmi.trade.example;

/** What is known of a refund. A greater one is a greater exit status. */
enum Outcome {
  /** The money was refunded. */
  DONE(0),
  /** No money moved. */
  DECLINED(3),
  /** The money may have moved, or may yet. */
  PENDING(4);

  /** Not 1, with which Java itself ends. */
  final int status;

  Outcome(int status) {
    this.status = status;
  }
}
