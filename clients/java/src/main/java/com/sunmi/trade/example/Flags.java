package com.sunmi.trade.example;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** A command line of {@code --name value}, and of switches, which have no value. */
final class Flags {
  /** Wrong usage: nothing was sent. */
  static final class Wrong extends Exception {
    private static final long serialVersionUID = 1;

    Wrong(String message) {
      super(message);
    }

    @Override
    public String toString() {
      return getMessage();
    }
  }

  private final Map<String, String> values = new HashMap<>();

  /** Reads the words; names and switches are all that there may be. */
  Flags(String[] words, Set<String> names, Set<String> switches) throws Wrong {
    for (int at = 0; at < words.length; at++) {
      String name = words[at].startsWith("--") ? words[at].substring(2) : "";
      if (switches.contains(name)) {
        values.put(name, "");
      } else if (!names.contains(name)) {
        throw new Wrong("what is " + words[at] + "?");
      } else if (++at == words.length) {
        throw new Wrong("--" + name + " has no value");
      } else {
        values.put(name, words[at]);
      }
    }
  }

  boolean has(String name) {
    return values.containsKey(name);
  }

  /** The value; without one, what is usual, or null. */
  String get(String name, String usual) {
    return values.getOrDefault(name, usual);
  }

  String required(String name) throws Wrong {
    String value = values.getOrDefault(name, "");
    if (value.isEmpty()) {
      throw new Wrong("--" + name + " is missing");
    }
    return value;
  }

  /** A whole number of at least 1: amounts are never read as floating-point numbers. */
  long amount(String name) throws Wrong {
    try {
      long amount = Long.parseLong(required(name));
      if (amount >= 1) {
        return amount;
      }
    } catch (NumberFormatException wrong) {
      // Said below.
    }
    throw new Wrong("--" + name + " is a whole number of fen, at least 1");
  }

  /** A time in seconds, as nanoseconds. */
  long nanos(String name, String usual) throws Wrong {
    try {
      double seconds = Double.parseDouble(get(name, usual));
      if (seconds > 0 && seconds < 1e6) {
        return (long) (seconds * 1e9);
      }
    } catch (NumberFormatException wrong) {
      // Said below.
    }
    throw new Wrong("--" + name + " is a positive number of seconds");
  }
}
