package org.example;

public final class Shop {
    private Shop() {}

    static int answer() {
        return 42;
    }

    public static void main(String[] arguments) {
        System.out.println(answer());
    }
}
