package org.example;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ShopTest {
    @Test
    void itAnswers() {
        assertEquals(42, Shop.answer());
    }
}
