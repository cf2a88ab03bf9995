FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /opt/ordergap
COPY requirements.txt .

# torch's CPU build, without the headers and tests that its wheel carries. XGBoost, scikit-learn and
# torch each bring their own libgomp, so nothing is needed from Debian.
ARG PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
ARG PIP_FIND_LINKS
ARG PIP_TRUSTED_HOST
RUN pip install --constraint requirements.txt torch \
 && cd "$(python -c 'import importlib.util as i; print(*i.find_spec("torch").submodule_search_locations)')" \
 && rm -rf include test bin/test_* bin/*Test bin/*.pt bin/*.ptl
RUN PIP_EXTRA_INDEX_URL= pip install --requirement requirements.txt

COPY LICENSE entrypoint.sh ./
COPY container container
RUN python -m compileall -q container && chmod -R a+rX . && chmod a+x entrypoint.sh

# Safe path: a file named like one of ours in the user's folder does not take its place.
ENV PYTHONPATH=/opt/ordergap \
    PYTHONSAFEPATH=1
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true \
      org.opencontainers.image.title="Ordergap" \
      org.opencontainers.image.description="Tells a shop when each customer will buy next" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /tmp
EXPOSE 8080
ENTRYPOINT ["/opt/ordergap/entrypoint.sh"]
CMD ["train"]
