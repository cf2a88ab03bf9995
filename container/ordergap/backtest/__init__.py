"""The rolling backtest: at several past days everything is learnt anew and judged by what came."""
